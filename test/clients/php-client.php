<?php

// Asks STS who it is, with whatever the default chain finds.

require 'AsyncAws/Core/autoload.php';

$sts = new AsyncAws\Core\Sts\StsClient(['endpoint' => getenv('AWS_ENDPOINT_URL_STS'), 'region' => 'us-east-1']);
$sts->getCallerIdentity()->getArn();

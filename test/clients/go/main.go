// Asks STS who it is, with whatever the default chain finds; prints the version of the SDK.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(aws.SDKVersion)
}

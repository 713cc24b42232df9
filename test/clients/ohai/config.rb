# Hints beside this file tell ohai that it is on an instance, and may read what is under iam/.
ohai.hints_path = [__dir__]

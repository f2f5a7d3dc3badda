#!/usr/bin/env bash
# Message queues by the AWS command line, as it comes. The endpoint is the first argument; `aws` is on the PATH.
set -euo pipefail
export AWS_ACCESS_KEY_ID=AKEXAMPLE AWS_SECRET_ACCESS_KEY=SKEXAMPLE AWS_DEFAULT_REGION=local AWS_MAX_ATTEMPTS=1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PAGER=

sqs() { aws sqs --endpoint-url "$endpoint" --output text "$@"; }
is() { [[ $1 == "$2" ]] || { printf 'expected `%s` and got `%s`\n' "$2" "$1" >&2; exit 1; }; }
done_() { printf 'aws: %s\n' "$*"; }
endpoint=$1

dead=$(sqs create-queue --queue-name cli-dead)
arn=$(sqs get-queue-attributes --queue-url "$dead" --attribute-names QueueArn --query Attributes.QueueArn)
policy="{\"RedrivePolicy\": \"{\\\"deadLetterTargetArn\\\":\\\"$arn\\\",\\\"maxReceiveCount\\\":1}\", \"VisibilityTimeout\": \"1\"}"
url=$(sqs create-queue --queue-name cli --attributes "$policy")
is "$(sqs get-queue-url --queue-name cli)" "$url"
is "$(sqs list-queues --query 'length(QueueUrls)')" 2
done_ "queues are created and listed"

id=$(sqs send-message --queue-url "$url" --message-body poison --query MessageId)
is "$(sqs receive-message --queue-url "$url" --query 'Messages[0].Body' --wait-time-seconds 5)" poison
is "$(sqs receive-message --queue-url "$url" --query 'Messages[0].Body' --wait-time-seconds 2)" None
is "$(sqs receive-message --queue-url "$dead" --query 'Messages[0].MessageId')" "$id"
done_ "a message is received, waited for, and moves to the dead-letter queue"

sqs send-message-batch --queue-url "$url" --entries Id=a,MessageBody=one Id=b,MessageBody=two >/dev/null
receipt=$(sqs receive-message --queue-url "$url" --visibility-timeout 60 --query 'Messages[0].ReceiptHandle')
sqs change-message-visibility --queue-url "$url" --receipt-handle "$receipt" --visibility-timeout 600
sqs delete-message --queue-url "$url" --receipt-handle "$receipt"
counts=ApproximateNumberOfMessages
is "$(sqs get-queue-attributes --queue-url "$url" --attribute-names $counts --query Attributes.$counts)" 1
sqs purge-queue --queue-url "$url"
is "$(sqs get-queue-attributes --queue-url "$url" --attribute-names $counts --query Attributes.$counts)" 0
done_ "messages are sent in batches, hidden for longer, deleted and purged"

fifo=$(sqs create-queue --queue-name cli.fifo --attributes FifoQueue=true)
for n in 1 2; do
  sqs send-message --queue-url "$fifo" --message-body "$n" --message-group-id g --message-deduplication-id "$n" >/dev/null
done
is "$(sqs receive-message --queue-url "$fifo" --max-number-of-messages 10 --query 'Messages[].Body' | tr '\t' ' ')" "1 2"
refused=$(sqs send-message --queue-url "$fifo" --message-body x 2>&1) && exit 1
[[ $refused == *MissingParameter* ]] || { echo "$refused" >&2; exit 1; }
done_ "a FIFO queue keeps order, and refusals are told by name"
for queue in "$url" "$dead" "$fifo"; do sqs delete-queue --queue-url "$queue"; done

#!/usr/bin/env bash
# Message queues of a server that asks who sends requests, by the AWS command line as it comes. The arguments are those of
# sqs-auth.py; `aws` is on the PATH.
set -euo pipefail
export AWS_DEFAULT_REGION=eu-west-1 AWS_MAX_ATTEMPTS=1 AWS_PAGER=
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
endpoint=$1 writer_id=$2 writer_secret=$3 reader_id=$4 reader_secret=$5

sqs() {
  AWS_ACCESS_KEY_ID=$key_id AWS_SECRET_ACCESS_KEY=$secret aws sqs --endpoint-url "$endpoint" --output text "$@"
}
as_writer() { key_id=$writer_id secret=$writer_secret; }
as_reader() { key_id=$reader_id secret=$reader_secret; }
is() { [[ $1 == "$2" ]] || { printf 'expected `%s` and got `%s`\n' "$2" "$1" >&2; exit 1; }; }
refused() {
  local part=$1 told
  shift
  told=$(sqs "$@" 2>&1) && { echo "this was expected to be refused: $*" >&2; exit 1; }
  [[ $told == *"$part"* ]] || { echo "$told" >&2; exit 1; }
  [[ $told != *"$writer_secret"* && $told != *"$reader_secret"* ]]
}
done_() { printf 'aws: %s\n' "$*"; }

as_writer
url=$(sqs create-queue --queue-name cli-jobs)
is "$url" "$endpoint/default/cli-jobs"
id=$(sqs send-message --queue-url "$url" --message-body hello --query MessageId)
as_reader
is "$(sqs receive-message --queue-url "$url" --wait-time-seconds 5 --query 'Messages[0].MessageId')" "$id"
done_ "requests that are signed with a key are its account's"

refused AccessDenied send-message --queue-url "$url" --message-body x
as_writer
refused AccessDenied receive-message --queue-url "$url"
done_ "what an account lacks a role for is refused"

secret=wrong
refused SignatureDoesNotMatch list-queues
key_id=TMAKAAAAAAAAAAAAAAAA
refused InvalidClientTokenId list-queues
done_ "a wrong secret and an unknown key are refused"

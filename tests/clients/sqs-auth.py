"""Message queues of a server that asks who sends requests, by boto3 as it comes.

The arguments are the endpoint, and twice an access key id and its secret: of an account that may make queues and send, and
of one that may receive."""

import sys

import boto3
from botocore.config import Config

endpoint, writer_id, writer_secret, reader_id, reader_secret = sys.argv[1:6]


def client(key_id, secret):
    return boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}),
    )


def refused(code, part, call, **arguments):
    try:
        call(**arguments)
    except writer.exceptions.ClientError as error:
        told = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (code, 403), (told, error)
        message = error.response["Error"]["Message"]
        assert part in message and writer_secret not in message and reader_secret not in message, message
        return
    raise AssertionError(f"{code} was expected")


def done(what):
    print("boto3:", what, flush=True)


writer, reader = client(writer_id, writer_secret), client(reader_id, reader_secret)
url = writer.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "20"})["QueueUrl"]
assert url == f"{endpoint}/default/jobs", url
sent = writer.send_message(QueueUrl=url, MessageBody="ä & b", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}})
received = reader.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5)["Messages"][0]
assert (received["MessageId"], received["Body"]) == (sent["MessageId"], "ä & b")
reader.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
assert writer.list_queues()["QueueUrls"] == [url]
done("requests that are signed with a key are its account's")

refused("AccessDenied", "lacks the role", reader.send_message, QueueUrl=url, MessageBody="x")
refused("AccessDenied", "lacks the role", reader.create_queue, QueueName="other")
refused("AccessDenied", "lacks the role", writer.receive_message, QueueUrl=url)
refused("AccessDenied", "lacks the role", writer.delete_queue, QueueUrl=url)
done("what an account lacks a role for is refused, with the role")

wrong = client(writer_id, "x" + writer_secret[1:] if writer_secret[0] != "x" else "y" + writer_secret[1:])
refused("SignatureDoesNotMatch", "not that of this request and this key", wrong.send_message, QueueUrl=url, MessageBody="x")
refused("InvalidClientTokenId", "no such token or key", client("TMAKAAAAAAAAAAAAAAAA", writer_secret).list_queues)
done("a wrong secret and an unknown key are refused")

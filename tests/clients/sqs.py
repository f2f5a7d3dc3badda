"""Message queues by boto3, as it comes: every operation, and what is refused. The endpoint is the first argument.

boto3 does not compare checksums, so this does."""

import hashlib
import json
import sys
import time

import boto3
from botocore.config import Config

endpoint = sys.argv[1]


def client(url):
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="local",
        aws_access_key_id="AKEXAMPLE",
        aws_secret_access_key="SKEXAMPLE",
        config=Config(retries={"max_attempts": 1}),
    )


sqs = client(endpoint)


def done(what):
    print("boto3:", what, flush=True)


def refused(exception, code, status, call, **arguments):
    try:
        call(**arguments)
    except sqs.exceptions.ClientError as error:
        told = (type(error).__name__, error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (exception, code, status), (told, error)
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def bodies(answer):
    return [message["Body"] for message in answer.get("Messages", [])]


# Queues.
url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "20"}, tags={"team": "shop"})["QueueUrl"]
assert url == f"{endpoint}/default/orders", url
assert sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "20"})["QueueUrl"] == url
refused("QueueNameExists", "QueueAlreadyExists", 400, sqs.create_queue, QueueName="orders", Attributes={"VisibilityTimeout": "21"})
assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
assert sqs.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId="000000000000")["QueueUrl"] == url
refused("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, sqs.get_queue_url, QueueName="none")
refused("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, sqs.receive_message, QueueUrl=url + "2")
refused("InvalidAttributeName", "InvalidAttributeName", 400, sqs.create_queue, QueueName="x", Attributes={"Colour": "blue"})
refused("InvalidAttributeValue", "InvalidAttributeValue", 400, sqs.create_queue, QueueName="x", Attributes={"DelaySeconds": "901"})
refused("ClientError", "InvalidParameterValue", 400, sqs.create_queue, QueueName="no/name")
for name in ("list-1", "list-2", "list-3"):
    sqs.create_queue(QueueName=name)
page = sqs.list_queues(QueueNamePrefix="list-", MaxResults=2)
assert len(page["QueueUrls"]) == 2
assert sqs.list_queues(QueueNamePrefix="list-", MaxResults=2, NextToken=page["NextToken"])["QueueUrls"] == [f"{endpoint}/default/list-3"]
assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing")
for name in ("list-1", "list-2", "list-3"):
    sqs.delete_queue(QueueUrl=f"{endpoint}/default/{name}")
assert len(sqs.list_queues()["QueueUrls"]) == 1
done("queues are created, found, listed in pages and deleted; refusals have the names of SQS")

attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert attributes["QueueArn"] == "arn:aws:sqs:local:default:orders", attributes
assert attributes["VisibilityTimeout"] == "20" and attributes["MessageRetentionPeriod"] == "345600"
assert abs(int(attributes["CreatedTimestamp"]) - time.time()) < 60
sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30", "MaximumMessageSize": "2048"})
only = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
assert only == {"VisibilityTimeout": "30"}, only
sqs.tag_queue(QueueUrl=url, Tags={"stage": "test"})
sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": "test"}
done("attributes and tags are set and read")

# Messages.
given = {
    "kind": {"DataType": "String", "StringValue": "order"},
    "kind.sub": {"DataType": "String.own", "StringValue": "ä"},
    "count": {"DataType": "Number", "StringValue": "7"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
body = "ein Auftrag: <&> \"x\" ü \U0001f30a\r\n\tend"
sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=given)
assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
received = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"][0]
assert received["Body"] == body and received["MessageId"] == sent["MessageId"]
assert received["MessageAttributes"] == given, received
assert received["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert received["Attributes"]["ApproximateReceiveCount"] == "1"
assert abs(int(received["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
assert counts["Attributes"] == {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "1"}, counts
handle = received["ReceiptHandle"]
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
refused("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400, sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=5)
again = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"], MessageAttributeNames=["kind.*"])["Messages"][0]
assert again["Attributes"] == {"ApproximateReceiveCount": "2"}
assert set(again["MessageAttributes"]) == {"kind.sub"}
sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
refused("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 400, sqs.delete_message, QueueUrl=url, ReceiptHandle="none")
refused("InvalidMessageContents", "InvalidMessageContents", 400, sqs.send_message, QueueUrl=url, MessageBody="\x01")
refused("ClientError", "InvalidParameterValue", 400, sqs.send_message, QueueUrl=url, MessageBody="x" * 2049)
refused("ClientError", "InvalidParameterValue", 400, sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
assert bodies(sqs.receive_message(QueueUrl=url)) == []
done("messages are sent, received with attributes, made visible and deleted")

started = time.monotonic()
assert bodies(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)) == []
assert 0.9 < time.monotonic() - started < 10
sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
started = time.monotonic()
late = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
assert bodies(late) == ["late"] and time.monotonic() - started < 10
sqs.delete_message(QueueUrl=url, ReceiptHandle=late["Messages"][0]["ReceiptHandle"])
done("a receive waits for what is sent")

# Batches.
entries = [{"Id": f"n{n}", "MessageBody": f"message {n}"} for n in range(9)] + [{"Id": "bad", "MessageBody": "\x02"}]
batch = sqs.send_message_batch(QueueUrl=url, Entries=entries)
assert [entry["Id"] for entry in batch["Successful"]] == [f"n{n}" for n in range(9)]
assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in batch["Failed"]] == [("bad", "InvalidMessageContents", True)]
received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
assert [message["Body"] for message in received] == [f"message {n}" for n in range(9)]
entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 100} for n, message in enumerate(received)]
assert len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)["Successful"]) == 9
entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(received)]
answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries + [{"Id": "x", "ReceiptHandle": "none"}])
assert len(answer["Successful"]) == 9 and answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
prefix = "AWS.SimpleQueueService."
many = [{"Id": str(n), "MessageBody": "x"} for n in range(11)]
refused("TooManyEntriesInBatchRequest", prefix + "TooManyEntriesInBatchRequest", 400, sqs.send_message_batch, QueueUrl=url, Entries=many)
refused("EmptyBatchRequest", prefix + "EmptyBatchRequest", 400, sqs.send_message_batch, QueueUrl=url, Entries=[])
refused("BatchEntryIdsNotDistinct", prefix + "BatchEntryIdsNotDistinct", 400, sqs.send_message_batch, QueueUrl=url, Entries=many[:1] * 2)
refused("InvalidBatchEntryId", prefix + "InvalidBatchEntryId", 400, sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a b", "MessageBody": "x"}])
large = [{"Id": str(n), "MessageBody": "x" * 150_000} for n in range(2)]
refused("BatchRequestTooLong", prefix + "BatchRequestTooLong", 400, sqs.send_message_batch, QueueUrl=url, Entries=large)
done("batches succeed and fail entry by entry")

# Dead letters.
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
policy = {"deadLetterTargetArn": arn, "maxReceiveCount": "2"}
sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"})
shown = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"])
assert shown == {"deadLetterTargetArn": arn, "maxReceiveCount": 2}
assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
poison = sqs.send_message(QueueUrl=url, MessageBody="poison")["MessageId"]
assert [bodies(sqs.receive_message(QueueUrl=url)) for _ in range(3)] == [["poison"], ["poison"], []]
letter = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"], WaitTimeSeconds=5)["Messages"][0]
assert (letter["MessageId"], letter["Body"]) == (poison, "poison")
assert letter["Attributes"]["DeadLetterQueueSourceArn"] == "arn:aws:sqs:local:default:orders"
refused("InvalidAttributeValue", "InvalidAttributeValue", 400, sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn + "x", "maxReceiveCount": 1})})
done("a message that is received too often moves to the dead-letter queue with its id")

# FIFO.
fifo = sqs.create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
first = sqs.send_message(QueueUrl=fifo, MessageBody="a1", MessageGroupId="a")
assert sqs.send_message(QueueUrl=fifo, MessageBody="a1", MessageGroupId="a")["MessageId"] == first["MessageId"]
second = sqs.send_message(QueueUrl=fifo, MessageBody="a2", MessageGroupId="a", MessageDeduplicationId="two")
assert second["SequenceNumber"] > first["SequenceNumber"]
sqs.send_message(QueueUrl=fifo, MessageBody="b1", MessageGroupId="b")
one = sqs.receive_message(QueueUrl=fifo, AttributeNames=["All"])["Messages"][0]
assert (one["Body"], one["Attributes"]["MessageGroupId"], one["Attributes"]["SequenceNumber"]) == ("a1", "a", first["SequenceNumber"])
assert bodies(sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)) == ["b1"]
sqs.delete_message(QueueUrl=fifo, ReceiptHandle=one["ReceiptHandle"])
assert bodies(sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10, WaitTimeSeconds=5)) == ["a2"]
refused("ClientError", "MissingParameter", 400, sqs.send_message, QueueUrl=fifo, MessageBody="x")
refused("InvalidAttributeValue", "InvalidAttributeValue", 400, sqs.create_queue, QueueName="plain", Attributes={"FifoQueue": "true"})
done("a FIFO queue keeps groups in order and takes nothing twice")

sqs.send_message(QueueUrl=url, MessageBody="purged")
sqs.purge_queue(QueueUrl=url)
assert bodies(sqs.receive_message(QueueUrl=url)) == []
for queue in (url, dead, fifo):
    sqs.delete_queue(QueueUrl=queue)
assert "QueueUrls" not in sqs.list_queues()

shop = client(f"{endpoint}/shop")
theirs = shop.create_queue(QueueName="orders")["QueueUrl"]
assert theirs == f"{endpoint}/shop/orders", theirs
sqs.send_message(QueueUrl=theirs, MessageBody="by its URL")
assert bodies(shop.receive_message(QueueUrl=theirs)) == ["by its URL"]
assert "QueueUrls" not in sqs.list_queues() and shop.list_queues()["QueueUrls"] == [theirs]
shop.delete_queue(QueueUrl=theirs)
done("queues are purged and deleted, and each namespace has its own")

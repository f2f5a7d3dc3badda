"""The older protocol, Query with XML: boto3 with the description of the service that it had before the JSON protocol, so
that its own serialiser and parser speak it. The endpoint is the first argument."""

import copy
import sys

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader


class Older(Loader):
    """Gives the description of SQS the metadata and names of the Query protocol."""

    def load_service_model(self, service_name, type_name, api_version=None):
        model = super().load_service_model(service_name, type_name, api_version)
        if service_name != "sqs" or type_name != "service-2":
            return model
        model = copy.deepcopy(model)
        metadata = model["metadata"]
        for name in ("targetPrefix", "jsonVersion", "awsQueryCompatible"):
            metadata.pop(name, None)
        metadata.update(protocol="query", protocols=["query"], xmlNamespace="http://queue.amazonaws.com/doc/2012-11-05/")
        for name, operation in model["operations"].items():
            if "output" in operation:
                operation["output"]["resultWrapper"] = f"{name}Result"
        flatten(model["shapes"])
        return model


# What the lists and maps of the Query protocol are called, item by item.
LISTS = {
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "AttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "TagKeyList": "TagKey",
}
MAPS = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}


def flatten(shapes):
    for name, item in LISTS.items():
        if name in shapes:
            shapes[name]["member"]["locationName"] = item
            shapes[name]["flattened"] = True
    for name, (_, key, value) in MAPS.items():
        if name in shapes:
            shapes[name]["key"]["locationName"] = key
            shapes[name]["value"]["locationName"] = value
            shapes[name]["flattened"] = True
    # A flattened map is named where it is used.
    for shape in shapes.values():
        for member in shape.get("members", {}).values():
            if member["shape"] in MAPS:
                member["locationName"] = MAPS[member["shape"]][0]


endpoint = sys.argv[1]
session = botocore.session.get_session()
loader = Older()
loader.search_paths.extend(session.get_component("data_loader").search_paths)
session.register_component("data_loader", loader)
sqs = boto3.Session(botocore_session=session).client(
    "sqs",
    endpoint_url=endpoint,
    region_name="local",
    aws_access_key_id="AKEXAMPLE",
    aws_secret_access_key="SKEXAMPLE",
    config=Config(retries={"max_attempts": 1}),
)
assert sqs.meta.service_model.metadata["protocol"] == "query"


def done(what):
    print("boto3, Query protocol:", what, flush=True)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except sqs.exceptions.ClientError as error:
        told = error.response["Error"]
        assert (told["Code"], told["Type"]) == (code, "Sender"), told
        return
    raise AssertionError(f"{code} was expected")


url = sqs.create_queue(QueueName="older", Attributes={"VisibilityTimeout": "9"}, tags={"a": "b"})["QueueUrl"]
assert url == f"{endpoint}/default/older", url
assert sqs.list_queues(QueueNamePrefix="old")["QueueUrls"] == [url]
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "b"}
sqs.tag_queue(QueueUrl=url, Tags={"c": "d"})
sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"c": "d"}
sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "QueueArn"])["Attributes"]
assert attributes == {"VisibilityTimeout": "9", "QueueArn": "arn:aws:sqs:local:default:older"}, attributes
done("queues, attributes and tags")

body = "<&> \"x\" ü \U0001f30a\r\n\tend"
given = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=given)
received = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5)["Messages"][0]
assert received["Body"] == body, received
assert received["MessageAttributes"] == given, received
assert received["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert received["Attributes"]["ApproximateReceiveCount"] == "1"
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=30)
sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
batch = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "\x01"}])
assert [entry["Id"] for entry in batch["Successful"]] == ["a"] and batch["Failed"][0]["SenderFault"] is True
received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": received[0]["ReceiptHandle"]}])
assert [entry["Id"] for entry in deleted["Successful"]] == ["x"]
assert "Messages" not in sqs.receive_message(QueueUrl=url)
done("messages and batches")

refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
refused("QueueAlreadyExists", sqs.create_queue, QueueName="older", Attributes={"VisibilityTimeout": "8"})
refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=0)
refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="<none>")
sqs.purge_queue(QueueUrl=url)
sqs.delete_queue(QueueUrl=url)
assert "QueueUrls" not in sqs.list_queues()
done("refusals")

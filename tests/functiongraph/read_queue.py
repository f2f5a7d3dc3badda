"""Reads all messages of a queue by boto3, as it comes, and prints the body of each as a line. Arguments: the endpoint and
the URL of the queue."""

import sys

import boto3

endpoint, queue = sys.argv[1:]
sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="local", aws_access_key_id="AKEXAMPLE", aws_secret_access_key="SKEXAMPLE")
wait = 20
while messages := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=wait).get("Messages"):
    for message in messages:
        print(message["Body"], flush=True)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    wait = 2

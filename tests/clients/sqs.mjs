// Message queues by the JavaScript SDK, as it comes. It compares the checksums of what it sends and receives, and throws
// where they differ. The endpoint is the first argument, the folder with `node_modules` the second.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [endpoint, modules] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`)("@aws-sdk/client-sqs");
const credentials = { accessKeyId: "AKEXAMPLE", secretAccessKey: "SKEXAMPLE" };
const client = new sdk.SQSClient({ endpoint, region: "local", credentials, maxAttempts: 1 });
const run = (name, input) => client.send(new sdk[`${name}Command`](input));
const done = (what) => console.log(`JavaScript SDK: ${what}`);
const bodies = (answer) => (answer.Messages ?? []).map((message) => message.Body);

const { QueueUrl } = await run("CreateQueue", { QueueName: "js", Attributes: { VisibilityTimeout: "30" } });
const body = "ein Auftrag: <&> \"x\" ü \u{1f30a}\r\n\tend";
const MessageAttributes = {
  kind: { DataType: "String", StringValue: "order ä" },
  count: { DataType: "Number.int", StringValue: "7" },
  raw: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
};
const sent = await run("SendMessage", { QueueUrl, MessageBody: body, MessageAttributes });
const all = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] };
const [received] = (await run("ReceiveMessage", all)).Messages;
assert.equal(received.Body, body);
assert.equal(received.MessageId, sent.MessageId);
assert.equal(received.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
assert.deepEqual(new Uint8Array(received.MessageAttributes.raw.BinaryValue), new Uint8Array([0, 255]));
assert.equal(received.Attributes.ApproximateReceiveCount, "1");
done("checksums of a message, its attributes and what is received are right");

const receipt = { QueueUrl, ReceiptHandle: received.ReceiptHandle };
await run("ChangeMessageVisibility", { ...receipt, VisibilityTimeout: 60 });
await run("DeleteMessage", receipt);
const waiting = run("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 20 });
await new Promise((later) => setTimeout(later, 300));
const Entries = [..."abc"].map((Id) => ({ Id, MessageBody: `message ${Id}`, MessageAttributes }));
const batch = await run("SendMessageBatch", { QueueUrl, Entries: [...Entries, { Id: "bad", MessageBody: "\u0001" }] });
assert.deepEqual(batch.Successful.map((entry) => entry.Id), ["a", "b", "c"]);
assert.deepEqual(batch.Failed.map((entry) => [entry.Id, entry.Code]), [["bad", "InvalidMessageContents"]]);
const first = await waiting;
assert.equal(first.Messages.length, 1);
const rest = await run("ReceiveMessage", all);
const receipts = [...first.Messages, ...rest.Messages].map((it, n) => ({ Id: `n${n}`, ReceiptHandle: it.ReceiptHandle }));
assert.equal(receipts.length, 3);
assert.equal((await run("DeleteMessageBatch", { QueueUrl, Entries: receipts })).Successful.length, 3);
done("a receive waits for a batch, whose checksums are right, and batches are deleted");

const dead = await run("CreateQueue", { QueueName: "js-dead" });
const { Attributes } = await run("GetQueueAttributes", { QueueUrl: dead.QueueUrl, AttributeNames: ["QueueArn"] });
const policy = JSON.stringify({ deadLetterTargetArn: Attributes.QueueArn, maxReceiveCount: 1 });
await run("SetQueueAttributes", { QueueUrl, Attributes: { RedrivePolicy: policy, VisibilityTimeout: "0" } });
await run("SendMessage", { QueueUrl, MessageBody: "poison" });
assert.deepEqual(bodies(await run("ReceiveMessage", { QueueUrl })), ["poison"]);
assert.deepEqual(bodies(await run("ReceiveMessage", { QueueUrl })), []);
assert.deepEqual(bodies(await run("ReceiveMessage", { QueueUrl: dead.QueueUrl })), ["poison"]);
done("a message that is received too often moves to the dead-letter queue");

const fifo = await run("CreateQueue", { QueueName: "js.fifo", Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" } });
for (const MessageBody of ["1", "2", "2", "3"]) {
  await run("SendMessage", { QueueUrl: fifo.QueueUrl, MessageBody, MessageGroupId: "g" });
}
assert.deepEqual(bodies(await run("ReceiveMessage", { QueueUrl: fifo.QueueUrl, MaxNumberOfMessages: 10 })), ["1", "2", "3"]);
done("a FIFO queue keeps order and takes nothing twice");

await assert.rejects(run("ReceiveMessage", { QueueUrl: `${QueueUrl}-none` }), (error) => {
  assert.ok(error instanceof sdk.QueueDoesNotExist, error.name);
  assert.equal(error.Error.Code, "AWS.SimpleQueueService.NonExistentQueue");
  assert.equal(error.Error.Type, "Sender");
  return true;
});
for (const queue of [QueueUrl, dead.QueueUrl, fifo.QueueUrl]) await run("DeleteQueue", { QueueUrl: queue });
done("refusals have their names and codes");

"""The life of a function by the unmodified SDK, over gRPC without TLS: made, given versions, tagged, invoked, deleted."""

import json
import random
import sys
import time
import urllib.request
from urllib.error import HTTPError

import grpc
import yandexcloud
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from yandex.cloud.access import access_pb2
from yandex.cloud.endpoint import api_endpoint_service_pb2, api_endpoint_service_pb2_grpc
from yandex.cloud.iam.v1 import iam_token_service_pb2, iam_token_service_pb2_grpc
from yandex.cloud.operation import operation_service_pb2, operation_service_pb2_grpc
from yandex.cloud.serverless.containers.v1 import container_service_pb2
from yandex.cloud.serverless.functions.v1 import function_pb2, function_service_pb2 as f, function_service_pb2_grpc

http, address, answers, fails = sys.argv[1:5]
sdk = yandexcloud.SDK(iam_token="any")
functions = sdk.client(function_service_pb2_grpc.FunctionServiceStub, endpoint=address, insecure=True)
operations = sdk.client(operation_service_pb2_grpc.OperationServiceStub, endpoint=address, insecure=True)


def say(text):
    print(text, flush=True)


def done(operation, kind=None):
    """Waits for an operation, and unpacks what came of it."""
    while not operation.done:
        time.sleep(0.2)
        operation = operations.Get(operation_service_pb2.GetOperationRequest(operation_id=operation.id))
    assert not operation.HasField("error"), operation.error
    if kind:
        result = kind()
        assert operation.response.Unpack(result), operation.response.type_url
        return result


def refused(code, call, part):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert part in error.details(), error.details()
    else:
        raise AssertionError(f"it was not refused: {part}")


def ask(path, body=None, method="POST"):
    request = urllib.request.Request(http + path, data=body, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


def received(queue):
    for _ in range(100):
        status, body, _ = ask(f"/v1/queues/{queue}/receive?namespace=b1gfolder", b'{"wait_s": 1}')
        messages = json.loads(body)["messages"]
        if messages:
            return messages[0]["body"]
    raise AssertionError(f"nothing came to {queue}")


S = grpc.StatusCode
for queue in ["good", "bad"]:
    status, body, _ = ask(f"/v1/queues/{queue}?namespace=b1gfolder", b"{}", "PUT")
    assert status in (200, 201), body

# Functions.
operation = functions.Create(f.CreateFunctionRequest(
    folder_id="b1gfolder", name="resize", description="a", labels={"team": "one"}))
metadata = f.CreateFunctionMetadata()
assert operation.metadata.Unpack(metadata)
made = done(operation, function_pb2.Function)
assert made.id == metadata.function_id and made.folder_id == "b1gfolder" and made.labels["team"] == "one"
assert made.http_invoke_url == f"{http}/{made.id}" and made.status == function_pb2.Function.ACTIVE
unnamed = done(functions.Create(f.CreateFunctionRequest(folder_id="b1gfolder")), function_pb2.Function)
assert unnamed.name == f"fn-{unnamed.id}", unnamed.name
done(functions.Delete(f.DeleteFunctionRequest(function_id=unnamed.id)))
refused(S.ALREADY_EXISTS, lambda: functions.Create(f.CreateFunctionRequest(folder_id="b1gfolder", name="resize")), "resize")
changed = done(functions.Update(f.UpdateFunctionRequest(
    function_id=made.id, update_mask=FieldMask(paths=["name", "description"]), name="shrink", description="b",
    labels={"not": "meant"})), function_pb2.Function)
assert (changed.name, changed.description, dict(changed.labels)) == ("shrink", "b", {"team": "one"})
assert functions.Get(f.GetFunctionRequest(function_id=made.id)) == changed
listed = functions.List(f.ListFunctionsRequest(folder_id="b1gfolder", filter='name="shrink"'))
assert [one.id for one in listed.functions] == [made.id]
say("functions are made, changed, found and deleted")

# Versions.
target = function_pb2.AsyncInvocationConfig.ResponseTarget


def queue(name):
    return target(ymq_target=function_pb2.YMQTarget(
        queue_arn=f"yrn:yc:ymq:ru-central1:b1gfolder:{name}", service_account_id="ajeaccount"))


def version(path=None, **fields):
    content = {"content": open(path, "rb").read()} if path else {}
    given = dict(
        function_id=made.id, runtime="wasm", entrypoint="index.handler",
        resources=function_pb2.Resources(memory=134217728), execution_timeout=Duration(seconds=3), **content)
    return f.CreateFunctionVersionRequest(**{**given, **fields})


config = function_pb2.AsyncInvocationConfig(
    retries_count=2, success_target=queue("good"), failure_target=queue("bad"), service_account_id="ajeaccount")
operation = functions.CreateVersion(version(
    answers, description="first", environment={"A": "1"}, tag=["prod"], concurrency=3, async_invocation_config=config,
    service_account_id="ajeaccount", tmpfs_size=7,
    secrets=[function_pb2.Secret(id="s", version_id="v", key="k", environment_variable="E")]))
first = done(operation, function_pb2.Version)
assert first.id == f"{made.id}-1" and sorted(first.tags) == ["$latest", "prod"], first
assert first.async_invocation_config == config and first.secrets[0].environment_variable == "E"
assert first.execution_timeout.seconds == 3 and first.resources.memory == 134217728 and first.image_size > 0
assert dict(first.environment) == {"A": "1"} and (first.concurrency, first.tmpfs_size) == (3, 7)
second = done(functions.CreateFunctionVersion(version(version_id=first.id)), function_pb2.Version)
assert second.id == f"{made.id}-2" and not second.HasField("async_invocation_config")
third = done(functions.CreateVersion(version(
    fails, async_invocation_config=function_pb2.AsyncInvocationConfig(
        success_target=target(empty_target={}), failure_target=queue("bad")))), function_pb2.Version)
by_tag = lambda tag: functions.GetVersionByTag(f.GetFunctionVersionByTagRequest(function_id=made.id, tag=tag)).id
assert (by_tag("$latest"), by_tag("prod")) == (third.id, first.id)
page = functions.ListVersions(f.ListFunctionsVersionsRequest(function_id=made.id, page_size=2))
rest = functions.ListFunctionVersions(
    f.ListFunctionsVersionsRequest(function_id=made.id, page_size=2, page_token=page.next_page_token))
assert [one.id for one in [*page.versions, *rest.versions]] == [third.id, second.id, first.id]
assert functions.GetFunctionVersion(f.GetFunctionVersionRequest(function_version_id=second.id)).status \
    == function_pb2.Version.OBSOLETE
say("versions are made of content and of other versions, with all that was said of them")

# Tags, history, policies, bindings, operations.
tagged = done(functions.SetTag(f.SetFunctionTagRequest(function_version_id=second.id, tag="prod")), function_pb2.Version)
assert list(tagged.tags) == ["prod"] and by_tag("prod") == second.id
history = functions.ListTagHistory(f.ListFunctionTagHistoryRequest(function_id=made.id, tag="prod"))
assert [one.function_version_id for one in history.function_tag_history_record] == [second.id, first.id]
assert len(functions.ListFunctionTagHistory(
    f.ListFunctionTagHistoryRequest(function_id=made.id, tag="$latest")).function_tag_history_record) == 3
done(functions.RemoveTag(f.RemoveFunctionTagRequest(function_version_id=second.id, tag="prod")), function_pb2.Version)
refused(S.NOT_FOUND, lambda: by_tag("prod"), "prod")
policy = done(functions.SetScalingPolicy(
    f.SetScalingPolicyRequest(function_id=made.id, tag="$latest", zone_instances_limit=2)), function_pb2.ScalingPolicy)
assert policy.zone_instances_limit == 2
assert len(functions.ListScalingPolicies(f.ListScalingPoliciesRequest(function_id=made.id)).scaling_policies) == 1
done(functions.RemoveScalingPolicy(f.RemoveScalingPolicyRequest(function_id=made.id, tag="$latest")))
binding = access_pb2.AccessBinding(
    role_id="functions.functionInvoker", subject=access_pb2.Subject(id="allUsers", type="system"))
done(functions.SetAccessBindings(access_pb2.SetAccessBindingsRequest(resource_id=made.id, access_bindings=[binding])))
assert list(functions.ListAccessBindings(
    access_pb2.ListAccessBindingsRequest(resource_id=made.id)).access_bindings) == [binding]
done(functions.UpdateAccessBindings(access_pb2.UpdateAccessBindingsRequest(
    resource_id=made.id,
    access_binding_deltas=[access_pb2.AccessBindingDelta(action=access_pb2.REMOVE, access_binding=binding)])))
assert "wasm" in functions.ListRuntimes(f.ListRuntimesRequest()).runtimes
did = functions.ListOperations(f.ListFunctionOperationsRequest(function_id=made.id)).operations
assert len(did) == 11 and did[-1].description == "Create function", [one.description for one in did]
say("tags move and are remembered; policies, bindings and operations are listed")

# Invocations.
status, body, headers = ask(f"/{made.id}?tag=$latest&integration=raw", b"x")
assert status == 502 and headers["X-Function-Error"] == "true", body
assert set(json.loads(body)) == {"errorMessage", "errorType", "stackTrace"}, body
done(functions.SetTag(f.SetFunctionTagRequest(function_version_id=first.id, tag="prod")))
status, body, headers = ask(f"/{made.id}?tag=prod", b"x")
assert (status, body, headers["X-Made-By"]) == (201, b"made", "wasm"), (status, body)
status, body, _ = ask(f"/{made.id}?tag=prod&integration=raw", b"x")
assert status == 200 and json.loads(body)["statusCode"] == 201
assert ask(f"/{made.id}?tag=prod&integration=async", b"x")[:2] == (202, b"")
assert json.loads(received("good")) == json.loads(body), "the queue has the bare result"
assert ask(f"/{made.id}?integration=async", b"\xff")[0] == 202
record = json.loads(received("bad"))
assert record["request_context"]["condition"] == "RetriesExhausted", record
assert record["request_context"]["approximate_invoke_count"] == 1, record
assert ask(f"/{made.id}?integration=later")[0] == 400
assert ask(f"/{made.id}?tag=nobody")[0] == 404
assert ask("/" + "0" * 8 + made.id[8:])[0] == 404
say("functions are invoked by their URLs, and queues get what they give")

# What is wrong.
refused(S.NOT_FOUND, lambda: functions.Get(f.GetFunctionRequest(function_id="d4enothing")), "d4enothing")
refused(S.INVALID_ARGUMENT, lambda: functions.Get(f.GetFunctionRequest()), "function_id")
refused(S.INVALID_ARGUMENT, lambda: functions.CreateVersion(version(content=b"print(1)")), "content")
refused(S.INVALID_ARGUMENT, lambda: functions.CreateVersion(version()), "package_source")
config.retries_count = 101
refused(S.INVALID_ARGUMENT, lambda: functions.CreateVersion(version(answers, async_invocation_config=config)),
        "async_invocation_config.retries_count")
config.retries_count = 1
config.success_target.ymq_target.queue_arn = "yrn:yc:ymq:ru-central1:b1gfolder:nowhere"
refusal = functions.CreateVersion(version(answers, async_invocation_config=config))
while not refusal.done:
    time.sleep(0.2)
    refusal = operations.Get(operation_service_pb2.GetOperationRequest(operation_id=refusal.id))
assert refusal.error.code == 3 and "nowhere" in refusal.error.message, refusal
refused(S.FAILED_PRECONDITION,
        lambda: functions.DeleteVersion(f.DeleteFunctionVersionRequest(function_version_id=third.id)), "newest")
refused(S.FAILED_PRECONDITION,
        lambda: functions.DeleteVersion(f.DeleteFunctionVersionRequest(function_version_id=first.id)), "prod")
done(functions.DeleteVersion(f.DeleteFunctionVersionRequest(function_version_id=first.id, force=True)))
refused(S.NOT_FOUND, lambda: functions.GetVersion(f.GetFunctionVersionRequest(function_version_id=first.id)), first.id)
refused(S.NOT_FOUND, lambda: operations.Get(operation_service_pb2.GetOperationRequest(operation_id="x")), "x")
say("what is wrong is refused with the field")

# Whatever is sent, nothing is answered with a fault of the server.
dice = random.Random(7)
channel = grpc.insecure_channel(address)
modules = [f, operation_service_pb2, api_endpoint_service_pb2, iam_token_service_pb2, container_service_pb2]
count = 0
for service in [one for module in modules for one in module.DESCRIPTOR.services_by_name.values()]:
    for method in service.methods:
        call = channel.unary_unary(f"/{service.full_name}/{method.name}")
        fields = [field.number for field in method.input_type.fields]
        for _ in range(25):
            parts = []
            for _ in range(dice.randint(0, 4)):
                value = dice.choice([b"", made.id.encode(), first.id.encode(), b"$latest", bytes(dice.randbytes(9))])
                number = dice.choice(fields or [1])
                if dice.random() < 0.6:
                    parts.append(bytes([number << 3 & 0x7F | 2, len(value)]) + value if number < 16 else b"")
                else:
                    parts.append(bytes([number << 3 & 0x7F, dice.randint(0, 127)]) if number < 16 else dice.randbytes(3))
            try:
                call(b"".join(parts))
            except grpc.RpcError as error:
                assert error.code() not in (S.UNKNOWN, S.DATA_LOSS, S.INTERNAL), error
            count += 1
say("whatever is sent, no fault of the server comes back")
assert count > 800, count

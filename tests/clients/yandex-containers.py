"""The life of a container by the unmodified `yandexcloud` SDK over gRPC: arguments are the server's URL, the address of its gRPC
port, and a module. Says a line for each thing that holds."""

import json
import sys
import time
import urllib.error
import urllib.request

import grpc
import yandexcloud
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from yandex.cloud.operation.operation_service_pb2 import GetOperationRequest
from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub
from yandex.cloud.serverless.containers.v1 import container_pb2 as c
from yandex.cloud.serverless.containers.v1 import container_service_pb2 as s
from yandex.cloud.serverless.containers.v1.container_service_pb2_grpc import ContainerServiceStub

url, address, module = sys.argv[1:4]
sdk = yandexcloud.SDK(iam_token="none")
containers = sdk.client(ContainerServiceStub, endpoint=address, insecure=True)
operations = sdk.client(OperationServiceStub, endpoint=address, insecure=True)


def ended(operation, metadata, response):
    """What came of an operation, and what it says it was about."""
    for _ in range(600):
        if operation.done:
            break
        time.sleep(0.1)
        operation = operations.Get(GetOperationRequest(operation_id=operation.id))
    assert operation.done and not operation.HasField("error"), operation
    told = metadata()
    assert operation.metadata.Unpack(told), operation
    result = response()
    assert operation.response.Unpack(result), operation
    return told, result


def refused(code, call, request):
    try:
        answer = call(request)
    except grpc.RpcError as error:
        assert error.code() == code and error.details(), error
        return
    raise AssertionError(f"it was not refused: {answer}")


def sent(address, method="GET", body=None, headers=None):
    request = urllib.request.Request(address, method=method, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, answer.headers, answer.read()


def deployed(**more):
    request = s.DeployContainerRevisionRequest(
        container_id=container.id,
        resources=c.Resources(memory=134217728, cores=1, core_fraction=100),
        execution_timeout=Duration(seconds=5),
        image_spec=s.ImageSpec(image_url=module, environment={"GREETING": "hi"}),
        concurrency=2,
        async_invocation_config=c.AsyncInvocationConfig(service_account_id="ajeaim70pe1u"),
        **more,
    )
    about, revision = ended(containers.DeployRevision(request), s.DeployContainerRevisionMetadata, c.Revision)
    assert about.container_revision_id == revision.id, about
    return revision


create = s.CreateContainerRequest(folder_id="b1g", name="test-container", description="one", labels={"a": "b"})
about, container = ended(containers.Create(create), s.CreateContainerMetadata, c.Container)
assert about.container_id == container.id and container.status == c.Container.ACTIVE, container
assert containers.Get(s.GetContainerRequest(container_id=container.id)) == container
assert list(containers.List(s.ListContainersRequest(folder_id="b1g")).containers) == [container]
change = s.UpdateContainerRequest(
    container_id=container.id, update_mask=FieldMask(paths=["description"]), description="two", name="ignored"
)
_, changed = ended(containers.Update(change), s.UpdateContainerMetadata, c.Container)
assert (changed.name, changed.description) == ("test-container", "two"), changed
print("a container is made, shown, listed and changed")

first, second = deployed(description="first"), deployed(description="second")
shown = containers.GetRevision(s.GetContainerRevisionRequest(container_revision_id=second.id))
assert shown == second and shown.status == c.Revision.ACTIVE, shown
assert shown.image.image_url == module and shown.image.image_digest.startswith("sha256:"), shown
assert (shown.resources.memory, shown.concurrency, shown.execution_timeout.seconds) == (134217728, 2, 5), shown
assert shown.async_invocation_config.service_account_id == "ajeaim70pe1u" and shown.runtime.HasField("http"), shown
listed = containers.ListRevisions(s.ListContainersRevisionsRequest(container_id=container.id)).revisions
assert [(it.id, it.status) for it in listed] == [(second.id, c.Revision.ACTIVE), (first.id, c.Revision.OBSOLETE)]
print("revisions are deployed, shown and listed")

back = s.RollbackContainerRequest(container_id=container.id, revision_id=first.id)
ended(containers.Rollback(back), s.RollbackContainerMetadata, c.Container)
status = containers.GetRevision(s.GetContainerRevisionRequest(container_revision_id=first.id)).status
assert status == c.Revision.ACTIVE, status
done = containers.ListOperations(s.ListContainerOperationsRequest(container_id=container.id)).operations
assert len(done) == 5 and all(it.done for it in done), done
print("an earlier revision is gone back to")

status, headers, body = sent(container.url + "echo/a?b=c", "PUT", b"body")
seen = json.loads(body)
assert status == 200 and (seen["method"], seen["path"], seen["body"]) == ("PUT", "/echo/a?b=c", "body"), seen
status, headers, body = sent(
    container.url + "echo/later", "POST", b"kept", {"X-Ycf-Container-Integration-Type": "async"}
)
assert (status, body) == (202, b""), (status, body)
invocation = headers["X-Request-Id"]
sent(f"{url}/v1/invocations/{invocation}?wait=30s")
seen = json.loads(sent(f"{url}/v1/invocations/{invocation}/result")[2])
assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/echo/later", "kept"), seen
print("it answers at its url, now and later")

refused(grpc.StatusCode.INVALID_ARGUMENT, containers.Create, s.CreateContainerRequest(name="no-folder"))
refused(grpc.StatusCode.ALREADY_EXISTS, containers.Create, create)
refused(grpc.StatusCode.NOT_FOUND, containers.Get, s.GetContainerRequest(container_id="nothing"))
refused(grpc.StatusCode.NOT_FOUND, containers.GetRevision, s.GetContainerRevisionRequest(container_revision_id="x-1"))
refused(grpc.StatusCode.INVALID_ARGUMENT, containers.ListRevisions, s.ListContainersRevisionsRequest())
refused(grpc.StatusCode.INVALID_ARGUMENT, containers.DeployRevision, s.DeployContainerRevisionRequest())
print("what is wrong is refused with its code")

delete = s.DeleteContainerRequest(container_id=container.id)
containers.Delete(delete)
refused(grpc.StatusCode.NOT_FOUND, containers.Delete, delete)
try:
    sent(container.url)
except urllib.error.HTTPError as error:
    assert error.code == 404, error
else:
    raise AssertionError("it still answers")
print("it is removed")

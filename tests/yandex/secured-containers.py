"""The life of a container by the SDK over TLS: it finds the services by the first of them, shows a token, and waits for operations
by itself. The arguments are the address of gRPC, files with a token and an authority, and an image."""

import json
import ssl
import sys
import urllib.request
from urllib.error import HTTPError

import grpc
import yandexcloud
from google.protobuf.empty_pb2 import Empty
from yandex.cloud.serverless.containers.v1 import container_pb2 as c
from yandex.cloud.serverless.containers.v1 import container_service_pb2 as s
from yandex.cloud.serverless.containers.v1.container_service_pb2_grpc import ContainerServiceStub

address, token, authority, image = sys.argv[1:5]
port = address.rsplit(":", 1)[1]
pem = open(authority, "rb").read()
token = open(token).read().strip()
trusted = ssl.create_default_context(cafile=authority)


def say(text):
    print(text, flush=True)


def client(**shown):
    sdk = yandexcloud.SDK(endpoint=f"localhost:{port}", root_certificates=pem, **shown)
    return sdk, sdk.client(ContainerServiceStub)


def called(url, shown=None, body=b"", **headers):
    if shown:
        headers["Authorization"] = f"Bearer {shown}"
    request = urllib.request.Request(url, data=body, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


def refused(code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
    else:
        raise AssertionError(f"it was not refused as {code}")


sdk, containers = client(iam_token=token)


def done(call, request, response, metadata):
    """What the SDK has once it has waited for the operation."""
    operation = getattr(containers, call)(request)
    ended = sdk.wait_operation_and_get_result(operation, response_type=response, meta_type=metadata)
    return ended.response, ended.meta


container, about = done(
    "Create", s.CreateContainerRequest(folder_id="b1gfolder", name="secured"), c.Container, s.CreateContainerMetadata)
assert about.container_id == container.id and container.url.startswith("https://"), container


def deployed(description):
    request = s.DeployContainerRevisionRequest(
        container_id=container.id, description=description, resources=c.Resources(memory=134217728),
        image_spec=s.ImageSpec(image_url=image))
    revision, about = done("DeployRevision", request, c.Revision, s.DeployContainerRevisionMetadata)
    assert about.container_revision_id == revision.id and revision.description == description, revision
    return revision


first, second = deployed("first"), deployed("second")
assert first.id == f"{container.id}-1" and second.status == c.Revision.ACTIVE, second
by_service = sdk.create_operation_and_get_result(
    s.RollbackContainerRequest(container_id=container.id, revision_id=first.id),
    service=ContainerServiceStub, method_name="Rollback",
    response_type=c.Container, meta_type=s.RollbackContainerMetadata)
assert by_service.meta.revision_id == first.id, by_service.meta
revisions = containers.ListRevisions(s.ListContainersRevisionsRequest(container_id=container.id)).revisions
assert [it.status for it in revisions] == [c.Revision.OBSOLETE, c.Revision.ACTIVE], revisions
say("a container is made and deployed, and its operations are waited for")

status, body, _ = called(container.url + "echo/a", token, b"body")
seen = json.loads(body)
assert status == 200 and (seen["path"], seen["body"]) == ("/echo/a", "body"), seen
later = {"X-Ycf-Container-Integration-Type": "async"}
status, body, headers = called(container.url + "echo/later", token, b"kept", **later)
assert (status, body) == (202, b"") and headers["X-Request-Id"], (status, body)
say("it answers at its https url, now and later")

_, by_oauth = client(token=token)
assert by_oauth.Get(s.GetContainerRequest(container_id=container.id)).name == "secured"
for shown in ["tm_0123456789ab_" + "0" * 64, "nobody"]:
    _, stranger = client(iam_token=shown)
    refused(grpc.StatusCode.UNAUTHENTICATED,
            lambda: stranger.Get(s.GetContainerRequest(container_id=container.id)))
    assert called(container.url, shown)[0] in (401, 403)
nobody = ContainerServiceStub(grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(pem)))
refused(grpc.StatusCode.UNAUTHENTICATED, lambda: nobody.List(s.ListContainersRequest(folder_id="b1gfolder")))
assert called(container.url)[0] in (401, 403)
say("strangers are not let in")

done("Delete", s.DeleteContainerRequest(container_id=container.id), Empty, s.DeleteContainerMetadata)
refused(grpc.StatusCode.NOT_FOUND, lambda: containers.Get(s.GetContainerRequest(container_id=container.id)))
assert called(container.url, token)[0] == 404
say("it is removed")

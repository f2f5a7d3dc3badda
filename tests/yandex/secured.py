"""The same SDK over TLS: it finds the services by the first of them, shows a token, and waits for operations by itself."""

import sys

import grpc
import yandexcloud
from yandex.cloud.serverless.functions.v1 import function_pb2, function_service_pb2 as f, function_service_pb2_grpc

address, token, authority, answers = sys.argv[1:5]
port = address.rsplit(":", 1)[1]
pem = open(authority, "rb").read()
token = open(token).read().strip()


def say(text):
    print(text, flush=True)


def client(**shown):
    sdk = yandexcloud.SDK(endpoint=f"localhost:{port}", root_certificates=pem, **shown)
    return sdk, sdk.client(function_service_pb2_grpc.FunctionServiceStub)


sdk, functions = client(iam_token=token)
made = sdk.create_operation_and_get_result(
    f.CreateFunctionRequest(folder_id="b1gfolder", name="secured"),
    service=function_service_pb2_grpc.FunctionServiceStub, method_name="Create",
    response_type=function_pb2.Function, meta_type=f.CreateFunctionMetadata)
assert made.response.id == made.meta.function_id and made.response.name == "secured"
operation = functions.CreateVersion(f.CreateFunctionVersionRequest(
    function_id=made.response.id, runtime="wasm", entrypoint="index.handler",
    resources=function_pb2.Resources(memory=134217728), content=open(answers, "rb").read()))
version = sdk.wait_operation_and_get_result(
    operation, response_type=function_pb2.Version, meta_type=f.CreateFunctionVersionMetadata)
assert version.response.id == version.meta.function_version_id == f"{made.response.id}-1"
say("the SDK finds the services and waits for its operations")

_, by_oauth = client(token=token)
assert by_oauth.Get(f.GetFunctionRequest(function_id=made.response.id)).name == "secured"
say("a token is exchanged for one that is shown")

for shown in ["tm_0123456789ab_" + "0" * 64, "nobody"]:
    _, stranger = client(iam_token=shown)
    try:
        stranger.Get(f.GetFunctionRequest(function_id=made.response.id))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
    else:
        raise AssertionError("a stranger was let in")
channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(pem))
try:
    function_service_pb2_grpc.FunctionServiceStub(channel).List(f.ListFunctionsRequest(folder_id="b1gfolder"))
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
else:
    raise AssertionError("nobody was let in")
say("strangers are not let in")

"""The whole life of a FunctionGraph function by the SDK, as it comes. Arguments: the endpoint, the id and the secret of a
key, the project, and a folder with the modules echo.wasm, trap.wasm and sleep.wasm.

Each of the client's requests is signed with the key."""

import base64
import datetime
import hashlib
import io
import json
import pathlib
import sys
import time
import zipfile

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkfunctiongraph.v2 import *  # noqa: F403: as the SDK's own examples do

endpoint, key, secret, project, folder = sys.argv[1:]
modules = {name: (pathlib.Path(folder) / f"{name}.wasm").read_bytes() for name in ("echo", "trap", "sleep")}


def client_of(key, secret):
    credentials = BasicCredentials(key, secret, project)
    return FunctionGraphClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


client = client_of(key, secret)


def done(what):
    print("FunctionGraph SDK:", what, flush=True)


def refused(status, code, call, *arguments):
    try:
        call(*arguments)
    except (ClientRequestException, ServerResponseException) as error:
        assert (error.status_code, error.error_code) == (status, code), (error.status_code, error.error_code, error.error_msg)
        assert error.error_msg and error.request_id, vars(error)
        return error.error_msg
    raise AssertionError(f"{code} was expected")


def until(what, look):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


def create(name, module, **more):
    code = FuncCode(file=base64.b64encode(modules[module]).decode())
    body = CreateFunctionRequestBody(
        **{
            "func_name": name, "package": "default", "runtime": "Custom", "timeout": 30, "handler": "index.handler",
            "memory_size": 128, "code_type": "inline", "func_code": code, **more,
        }
    )
    return client.create_function(CreateFunctionRequest(body=body))


def urn_of(name, version="latest"):
    return f"urn:fss:local:{project}:function:default:{name}:{version}"


# Functions.
made = create("sdk-test", "echo", description="made by a test", user_data=json.dumps({"GREETING": "hi"}))
urn = made.func_urn
assert made.status_code == 200 and urn == urn_of("sdk-test"), made
assert (made.namespace, made.package, made.version, made.memory_size) == (project, "default", "latest", 128), made
assert made.digest == hashlib.sha512(modules["echo"]).hexdigest(), made.digest
create("sdk-sleep", "sleep")
create("sdk-trap", "trap", timeout=3)
listed = client.list_functions(ListFunctionsRequest(func_name="sdk-"))
assert sorted(it.func_name for it in listed.functions) == ["sdk-sleep", "sdk-test", "sdk-trap"] and listed.count == 3
shown = client.show_function_config(ShowFunctionConfigRequest(function_urn=urn))
assert (shown.func_name, shown.handler, shown.timeout, shown.description) == ("sdk-test", "index.handler", 30, "made by a test")
assert json.loads(shown.user_data) == {"GREETING": "hi"}
code = client.show_function_code(ShowFunctionCodeRequest(function_urn=urn))
assert code.code_size == len(modules["echo"]) and code.code_type == "inline", code
changed = client.update_function_config(
    UpdateFunctionConfigRequest(
        function_urn=urn,
        body=UpdateFunctionConfigRequestBody(
            func_name="sdk-test", runtime="Custom", timeout=60, handler="index.handler", memory_size=256, description="changed",
            func_vpc=FuncVpc(vpc_id="vpc", subnet_id="subnet"),
        ),
    )
)
assert (changed.timeout, changed.memory_size, changed.description) == (60, 256, "changed")
assert changed.func_vpc.vpc_id == "vpc", "what the runtime has no use for is kept"
refused(409, "FSS.1061", create, "sdk-test", "echo")
refused(404, "FSS.1051", client.show_function_config, ShowFunctionConfigRequest(function_urn=urn_of("none")))
done("functions are created, listed, shown and changed")

# Synchronous invocations.
answer = client.invoke_function(InvokeFunctionRequest(function_urn=urn, x_cff_request_version="v1", x_cff_log_type="tail", body={"k": "v"}))
assert json.loads(answer.result) == {"k": "v"} and answer.status == 200, answer
assert answer.request_id and answer.x_cff_request_id == answer.request_id, answer
plain = client.invoke_function(InvokeFunctionRequest(function_urn=urn, body={"k": "ä"}))
assert plain.status_code == 200 and plain.result is None and plain.x_cff_request_id, plain
assert json.loads(plain.raw_content) == {"k": "ä"}, plain.raw_content
failed = client.invoke_function(InvokeFunctionRequest(function_urn=urn_of("sdk-trap"), x_cff_request_version="v1", body={}))
assert failed.status == 500 and failed.result.startswith("trap: "), failed
told = refused(500, "FSS.0500", client.invoke_function, InvokeFunctionRequest(function_urn=urn_of("sdk-trap"), body={}))
assert told.startswith("trap: "), told
told = refused(404, "FSS.0404", client.invoke_function, InvokeFunctionRequest(function_urn=urn_of("none"), body={}))
assert told == "function 'none' not exist", told
done("a function is invoked, and its failure is told")

# Asynchronous configuration.
param = json.dumps({"func_urn": urn_of("sdk-sleep")})
about = {"function_urn": urn_of("sdk-trap")}
refused(404, "FSS.0404", client.show_function_async_invoke_config, ShowFunctionAsyncInvokeConfigRequest(**about))
config = client.update_function_async_invoke_config(
    UpdateFunctionAsyncInvokeConfigRequest(
        **about,
        body=UpdateFunctionAsyncInvokeConfigRequestBody(
            max_async_event_age_in_seconds=600,
            max_async_retry_attempts=0,
            destination_config=FuncAsyncDestinationConfig(on_success=FuncDestinationConfig(destination="FunctionGraph", param=param)),
            enable_async_status_log=True,
            log_group_id="group",
        ),
    )
)
shown = client.show_function_async_invoke_config(ShowFunctionAsyncInvokeConfigRequest(**about))
for it in (config, shown):
    assert (it.func_urn, it.max_async_event_age_in_seconds, it.max_async_retry_attempts) == (urn_of("sdk-trap"), 600, 0), it
    assert it.destination_config.on_success.destination == "FunctionGraph" and it.destination_config.on_failure is None
    assert it.destination_config.on_success.param == param, "a parameter is returned as it was sent"
    assert it.enable_async_status_log and it.created_time and it.last_modified
both = client.list_function_async_invoke_config(ListFunctionAsyncInvokeConfigRequest(**about))
assert both.count == 1 and both.async_invoke_configs[0].func_urn == urn_of("sdk-trap") and both.page_info.current_count == 1
cycle = UpdateFunctionAsyncInvokeConfigRequestBody(
    destination_config=FuncAsyncDestinationConfig(
        on_failure=FuncDestinationConfig(destination="FunctionGraph", param=json.dumps({"func_urn": urn_of("sdk-trap")}))
    )
)
told = refused(
    400, "FSS.0400", client.update_function_async_invoke_config,
    UpdateFunctionAsyncInvokeConfigRequest(function_urn=urn_of("sdk-sleep"), body=cycle),
)
assert f"{project}/sdk-sleep -> {project}/sdk-trap -> {project}/sdk-sleep" in told, told
done("an asynchronous configuration is set, shown and listed, and a cycle is refused with its path")

# Asynchronous invocations and what becomes of them.
ids = [client.async_invoke_function(AsyncInvokeFunctionRequest(function_urn=urn, body={"n": n})) for n in range(3)]
assert all(it.status_code == 202 for it in ids)
ids = [it.request_id for it in ids]


def history(urn, **more):
    return client.list_async_invocations(ListAsyncInvocationsRequest(function_urn=urn, **more))


ended = until("three successes", lambda: (lambda page: page if page.count == 3 else None)(history(urn, status="SUCCESS")))
assert sorted(it.request_id for it in ended.invocations) == sorted(ids), ended
first = ended.invocations[0]
assert (first.error_code, first.error_message, first.status) == (0, "", "SUCCESS") and first.end_time, first
assert abs((datetime.datetime.now(datetime.timezone.utc) - first.start_time.replace(tzinfo=datetime.timezone.utc)).total_seconds()) < 300
page = history(urn, limit="2", marker="0")
rest = history(urn, limit="2", marker=str(page.next_marker))
assert [len(page.invocations), len(rest.invocations), page.count] == [2, 1, 3]
assert history(urn, request_id=ids[1]).invocations[0].request_id == ids[1]
hour = datetime.timedelta(hours=1)
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
assert history(urn, query_begin_time=now - 2 * hour, query_end_time=now - hour).count == 0
assert history(urn, query_begin_time=now - hour, query_end_time=now + hour).count == 3
lost = client.async_invoke_function(AsyncInvokeFunctionRequest(function_urn=urn_of("sdk-trap"), body={})).request_id
lost = until("a failure", lambda: history(urn_of("sdk-trap"), request_id=lost, status="FAIL").invocations)[0]
assert lost.error_code == 500 and lost.error_message.startswith("RetriesExhausted: trap: "), lost
refused(400, "FSS.0400", lambda: history(urn, status="GONE"))
done("asynchronous invocations are accepted, and their history is filtered and paged")

# Cancelled ones.
slow = client.async_invoke_function(AsyncInvokeFunctionRequest(function_urn=urn_of("sdk-sleep"), body="25000")).request_id


def active():
    request = ListActiveAsyncInvocationsRequest(function_urn=urn_of("sdk-sleep"), requests=slow)
    return client.list_active_async_invocations(request).invocations


until("it runs", lambda: [it for it in active() if it.status == "RUNNING"])
body = CancelAsyncInvocationRequestBody(request_id=slow, type="force")
client.cancel_async_invocation(CancelAsyncInvocationRequest(function_urn=urn_of("sdk-sleep"), body=body))
gone = until("it is cancelled", lambda: history(urn_of("sdk-sleep"), request_id=slow, status="FAIL").invocations)[0]
assert (gone.error_code, gone.error_message) == (4208, "function invocation canceled"), gone
assert active() == []
refused(400, "FSS.0400", client.cancel_async_invocation, CancelAsyncInvocationRequest(function_urn=urn_of("sdk-sleep"), body=body))
unknown = CancelAsyncInvocationRequestBody(request_id="e834cb5b-1b2b-4c6b-b41c-8bd10fd41826")
refused(400, "FSS.0400", client.cancel_async_invocation, CancelAsyncInvocationRequest(function_urn=urn, body=unknown))
done("an invocation that runs is cancelled")

# Versions and aliases.
one = client.create_function_version(CreateFunctionVersionRequest(function_urn=urn, body=CreateFunctionVersionRequestBody(version="v1", description="first")))
assert (one.version, one.func_urn) == ("v1", urn_of("sdk-test", "v1")), one
package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr("index.wasm", modules["trap"])
code = UpdateFunctionCodeRequestBody(code_type="zip", code_filename="index.zip", func_code=FuncCode(file=base64.b64encode(package.getvalue()).decode()))
client.update_function_code(UpdateFunctionCodeRequest(function_urn=urn, body=code))
two = client.create_function_version(CreateFunctionVersionRequest(function_urn=urn, body=CreateFunctionVersionRequestBody(version="v2")))
versions = client.list_function_versions(ListFunctionVersionsRequest(function_urn=urn))
assert sorted(it.version for it in versions.versions) == ["latest", "v1", "v2"], [it.version for it in versions.versions]


def run(version):
    request = InvokeFunctionRequest(function_urn=urn_of("sdk-test", version), x_cff_request_version="v1", body={"a": 1})
    return client.invoke_function(request).status


assert [run("v1"), run("v2"), run("latest")] == [200, 500, 500]
alias = client.create_version_alias(CreateVersionAliasRequest(function_urn=urn, body=CreateVersionAliasRequestBody(name="prod", version="v1")))
assert (alias.alias_urn, alias.version) == (urn_of("sdk-test", "!prod"), "v1"), alias
assert {run("!prod") for _ in range(10)} == {200}
weights = UpdateVersionAliasRequestBody(version="v1", additional_version_weights={"v2": 50})
changed = client.update_version_alias(UpdateVersionAliasRequest(function_urn=urn, alias_name="prod", body=weights))
assert changed.additional_version_weights == {"v2": 50}, changed
until("both versions of an alias run", lambda: {run("!prod") for _ in range(20)} == {200, 500})
listed = client.list_version_aliases(ListVersionAliasesRequest(function_urn=urn))
assert [it.name for it in listed.body] == ["prod"], listed
told = refused(
    400, "FSS.0400", client.update_function_async_invoke_config,
    UpdateFunctionAsyncInvokeConfigRequest(function_urn=urn_of("sdk-test", "!prod"), body=UpdateFunctionAsyncInvokeConfigRequestBody()),
)
assert "alias" in told, told
of_version = UpdateFunctionAsyncInvokeConfigRequest(
    function_urn=urn_of("sdk-test", "v1"), body=UpdateFunctionAsyncInvokeConfigRequestBody(max_async_retry_attempts=3)
)
assert client.update_function_async_invoke_config(of_version).max_async_event_age_in_seconds == 3600
all_of_it = client.list_function_async_invoke_config(ListFunctionAsyncInvokeConfigRequest(function_urn=urn))
assert [(it.func_urn, it.max_async_retry_attempts) for it in all_of_it.async_invoke_configs] == [(urn_of("sdk-test", "v1"), 3)]
client.delete_version_alias(DeleteVersionAliasRequest(function_urn=urn, alias_name="prod"))
refused(404, "FSS.1053", client.show_version_alias, ShowVersionAliasRequest(function_urn=urn, alias_name="prod"))
done("versions are published, aliases lead to them by weight, and an alias takes no asynchronous configuration")

# Triggers, figures, and being switched off.
trigger = client.create_function_trigger(
    CreateFunctionTriggerRequest(
        function_urn=urn_of("sdk-sleep"),
        body=CreateFunctionTriggerRequestBody(
            trigger_type_code="TIMER", trigger_status="DISABLED",
            event_data=TriggerEventDataRequestBody(name="Timer_001", schedule_type="Rate", schedule="3m", user_event="more"),
        ),
    )
)
assert trigger.event_data.schedule == "3m" and trigger.trigger_status == "DISABLED", trigger
found = client.list_function_triggers(ListFunctionTriggersRequest(function_urn=urn_of("sdk-sleep"))).body
assert [(it.trigger_id, it.event_data.user_event) for it in found] == [(trigger.trigger_id, "more")]
of_it = {"function_urn": urn_of("sdk-sleep"), "trigger_type_code": "TIMER", "trigger_id": trigger.trigger_id}
changed = client.update_trigger(UpdateTriggerRequest(**of_it, body=UpdateTriggerRequestBody(trigger_status="ACTIVE")))
assert changed.trigger_status == "ACTIVE" and client.show_function_trigger(ShowFunctionTriggerRequest(**of_it)).trigger_status == "ACTIVE"
client.delete_function_trigger(DeleteFunctionTriggerRequest(**of_it))
metrics = client.show_function_metrics(ShowFunctionMetricsRequest(func_urn=urn, period="60"))
assert sum(it.value for it in metrics.count) >= 38 and sum(it.value for it in metrics.fail_count) >= 1, metrics
statistics = client.list_function_statistics(ListFunctionStatisticsRequest(func_urn=urn, period="60"))
assert sum(it.value for it in statistics.count) == sum(it.value for it in metrics.count)
assert client.list_quotas(ListQuotasRequest()).quotas.resources
limit = UpdateFunctionMaxInstanceConfigRequestBody(max_instance_num=0)
client.update_function_max_instance_config(UpdateFunctionMaxInstanceConfigRequest(function_urn=urn, body=limit))
told = refused(429, "FSS.0429", client.async_invoke_function, AsyncInvokeFunctionRequest(function_urn=urn, body={}))
assert told == "Function Disabled", told
done("triggers, metrics, statistics and quotas are there, and a function that is switched off refuses")

# Who asks.
for wrong in (client_of(key, secret + "x"), client_of("TMAKAAAAAAAAAAAAAAAA", secret)):
    refused(401, "FSS.0401", wrong.list_functions, ListFunctionsRequest())
old = client.list_functions_invoker(ListFunctionsRequest()).add_header("X-Sdk-Date", "20260102T030405Z")
refused(401, "FSS.0401", old.invoke)
assert client.list_functions(ListFunctionsRequest()).count == 3
done("a wrong signature, an unknown key and an old date are refused")

# The end.
assert client.delete_function_async_invoke_config(DeleteFunctionAsyncInvokeConfigRequest(**about)).status_code == 204
refused(404, "FSS.0404", client.delete_function_async_invoke_config, DeleteFunctionAsyncInvokeConfigRequest(**about))
for name in ("sdk-test", "sdk-sleep", "sdk-trap"):
    whole = urn_of(name).removesuffix(":latest")
    assert client.delete_function(DeleteFunctionRequest(function_urn=whole)).status_code == 204
assert client.list_functions(ListFunctionsRequest()).count == 0
done("functions are deleted")

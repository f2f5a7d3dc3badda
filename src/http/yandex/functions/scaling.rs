//! Scaling policies: kept and shown. An instance is made here when there is something to do, so nothing scales by them.

use tonic::{Response, Status};

use super::Functions;
use super::kept::{self, Kept, Scaling};
use super::read::qualifier;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, done, time};
use crate::http::yandex::pages::Page;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::status::invalid;
use crate::model::access::Permission;

/// Policies of a function: one for each of its tags.
const MAX_POLICIES: usize = 100;

impl Functions {
    pub(super) fn scaling_policies(
        &self,
        asked: &Asked,
        request: &f::ListScalingPoliciesRequest,
    ) -> Result<f::ListScalingPoliciesResponse, Status> {
        let function = self.function(asked, &request.function_id, Permission::FunctionsView)?;
        let page = Page::of(request.page_size, &request.page_token)?;
        let all = Kept::of(&function).scaling;
        let behind = all.iter().filter(|(tag, _)| page.after.as_ref().is_none_or(|after| *tag > after));
        let shown: Vec<_> = behind.map(|(tag, policy)| shown(&request.function_id, tag, policy)).collect();
        let is_more = shown.len() > page.size;
        let scaling_policies: Vec<_> = shown.into_iter().take(page.size).collect();
        let last = scaling_policies.last().filter(|_| is_more).map(|policy| policy.tag.clone());
        Ok(f::ListScalingPoliciesResponse { scaling_policies, next_page_token: last.unwrap_or_default() })
    }

    pub(super) async fn set_policy(
        &self,
        asked: &Asked,
        request: f::SetScalingPolicyRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::SetScalingPolicyRequest { function_id, tag, .. } = &request;
        let function = self.function(asked, function_id, Permission::FunctionsEdit)?;
        asked.changes(format!("function {} scaling {tag}", function.path));
        qualifier(tag)?;
        let (scaling, now) = (Kept::of(&function).scaling, self.runtime.now());
        if !scaling.contains_key(tag) && scaling.len() >= MAX_POLICIES {
            return Err(invalid("tag", format!("the function has {MAX_POLICIES} scaling policies: remove one first")));
        }
        let policy = Scaling {
            created: scaling.get(tag).map_or(now, |before| before.created),
            modified: now,
            provisioned_instances: request.provisioned_instances_count,
            zone_instances: request.zone_instances_limit,
            zone_requests: request.zone_requests_limit,
        };
        let (put, of) = (policy.clone(), tag.clone());
        let change = move |kept: &mut Kept| {
            kept.scaling.insert(of, put);
        };
        kept::edit(&self.runtime, &function.path, change).await?;
        let about =
            About { description: "Set scaling policy", namespace: &function.path.namespace, subject: function_id };
        let metadata = f::SetScalingPolicyMetadata { function_id: function_id.clone() };
        done(&self.runtime, about.begun(asked, &metadata), &shown(function_id, tag, &policy)).await
    }

    pub(super) async fn remove_policy(
        &self,
        asked: &Asked,
        request: f::RemoveScalingPolicyRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::RemoveScalingPolicyRequest { function_id, tag } = request;
        let function = self.function(asked, &function_id, Permission::FunctionsEdit)?;
        asked.changes(format!("function {} scaling {tag}", function.path));
        if !Kept::of(&function).scaling.contains_key(&tag) {
            let why = format!("the function `{function_id}` has no scaling policy for the tag `{tag}`");
            return Err(Status::not_found(why));
        }
        let change = move |kept: &mut Kept| {
            kept.scaling.remove(&tag);
        };
        kept::edit(&self.runtime, &function.path, change).await?;
        let about =
            About { description: "Remove scaling policy", namespace: &function.path.namespace, subject: &function_id };
        let metadata = f::RemoveScalingPolicyMetadata { function_id: function_id.clone() };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }
}

fn shown(function_id: &str, tag: &str, policy: &Scaling) -> f::ScalingPolicy {
    f::ScalingPolicy {
        function_id: function_id.to_owned(),
        tag: tag.to_owned(),
        created_at: Some(time(policy.created)),
        modified_at: Some(time(policy.modified)),
        provisioned_instances_count: policy.provisioned_instances,
        zone_instances_limit: policy.zone_instances,
        zone_requests_limit: policy.zone_requests,
    }
}

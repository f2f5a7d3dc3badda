//! Where tags have been: of `$latest` that follows from the versions, of the others it is kept.

use tonic::Status;

use super::Functions;
use super::find::version_id;
use super::kept::{Kept, Move};
use super::shown::LATEST;
use super::tags::alias;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::time;
use crate::http::yandex::pages::Page;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::list_function_tag_history_response::FunctionTagHistoryRecord;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::Permission;
use crate::model::function::Function;
use crate::model::names::VersionNumber;
use crate::model::time::Timestamp;

impl Functions {
    /// The history of a tag, the newest first.
    pub(super) fn tag_history(
        &self,
        asked: &Asked,
        request: &f::ListFunctionTagHistoryRequest,
    ) -> Result<f::ListFunctionTagHistoryResponse, Status> {
        let function = self.function(asked, &request.function_id, Permission::FunctionsView)?;
        if !request.filter.is_empty() {
            return Err(invalid("filter", "the history cannot be filtered: leave it out"));
        }
        let page = Page::of(request.page_size, &request.page_token)?;
        let skipped = page.after.as_deref().map_or(Ok(0), str::parse::<usize>).map_err(|_| Page::wrong())?;
        let all = self.history_of(&function, &request.tag)?;
        let shown: Vec<_> = all.iter().skip(skipped).take(page.size).cloned().collect();
        let next = skipped.saturating_add(shown.len());
        let next_page_token = if next < all.len() { next.to_string() } else { String::new() };
        Ok(f::ListFunctionTagHistoryResponse { function_tag_history_record: shown, next_page_token })
    }

    fn history_of(&self, function: &Function, tag: &str) -> Result<Vec<FunctionTagHistoryRecord>, Status> {
        let record = |number: VersionNumber, from: Timestamp, to: Option<Timestamp>| FunctionTagHistoryRecord {
            function_id: function.id.to_string(),
            function_version_id: version_id(function.id, number),
            tag: tag.to_owned(),
            effective_from: Some(time(from)),
            effective_to: to.map(time),
        };
        if tag == LATEST {
            let versions = self.runtime.versions(&function.path).map_err(status::status)?;
            let ends = versions.iter().skip(1).map(|next| Some(next.created)).chain([None]);
            let records = versions.iter().zip(ends).map(|(version, end)| record(version.number, version.created, end));
            return Ok(records.collect::<Vec<_>>().into_iter().rev().collect());
        }
        let alias = alias(tag)?;
        let moves = Kept::of(function).moves;
        let of_tag = moves.iter().rev().filter(|it| it.tag == alias);
        Ok(of_tag.map(|Move { number, from, to, .. }| record(*number, *from, *to)).collect())
    }
}

//! The query of requests about events: which are meant, how many, and whether to follow.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use twinstore_protocol::Seq;

use crate::analysis::{Filter, moment};
use crate::error::HttpError;
use crate::random;

/// A query as it came; the same name may come more than once.
pub(super) type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// Rows of each table of statistics.
const STATS_TOP: usize = 20;

/// What a query about events says.
#[derive(Debug, Default)]
pub(super) struct EventsQuery {
    pub(super) filter: Filter,
    pub(super) limit: Option<usize>,
    pub(super) follow: bool,
}

impl EventsQuery {
    /// Reads a query for statistics: a filter, and how many rows a table has.
    pub(super) fn read_stats(pairs: Pairs) -> Result<(Filter, usize), HttpError> {
        let Query(pairs) = pairs.map_err(|e| HttpError::bad_request(&e.body_text()))?;
        let (top, others): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| name == "top");
        let top = top.last().map_or(Ok(STATS_TOP), |(name, text)| value(name, text))?;
        let query = Self::read(Ok(Query(others)))?;
        match query.follow || query.limit.is_some() {
            true => Err(HttpError::bad_request("statistics have no `limit` and no `follow`")),
            false => Ok((query.filter, top)),
        }
    }

    /// Reads a query. What is not known is refused: a filter that is misspelt must not show all.
    pub(super) fn read(pairs: Pairs) -> Result<Self, HttpError> {
        let Query(pairs) = pairs.map_err(|e| HttpError::bad_request(&e.body_text()))?;
        let mut query = Self::default();
        for (name, text) in pairs {
            query.take(&name, text)?;
        }
        query.filter.check().map_err(|e| HttpError::bad_request(&e.to_string()))?;
        Ok(query)
    }

    fn take(&mut self, name: &str, text: String) -> Result<(), HttpError> {
        let filter = &mut self.filter;
        match name {
            "type" => filter.kinds.push(text),
            "client" => filter.clients.push(text),
            "after" => filter.from = Seq(value::<u64>(name, &text)?.saturating_add(1)),
            "from" => filter.from = Seq(value::<u64>(name, &text)?.max(1)),
            "to" => filter.to = Seq(value(name, &text)?),
            "since" => filter.since = Some(time(&text)?),
            "until" => filter.until = Some(time(&text)?),
            "rejected" => filter.rejected = Some(value(name, &text)?),
            "limit" => self.limit = Some(value(name, &text)?),
            "follow" => self.follow = value(name, &text)?,
            _ => return Err(HttpError::bad_request(&format!("there is no parameter `{name}`"))),
        }
        Ok(())
    }
}

fn value<T: FromStr>(name: &str, text: &str) -> Result<T, HttpError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e| HttpError::bad_request(&format!("`{name}` is `{text}`: {e}")))
}

fn time(text: &str) -> Result<u64, HttpError> {
    moment(text, random::now()).map_err(|e| HttpError::bad_request(&e.to_string()))
}

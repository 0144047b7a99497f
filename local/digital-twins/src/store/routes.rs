//! Event routes.

use std::sync::Arc;

use serde_json::Value;

use super::locks::{Place, changes};
use super::{Change, Plan, Store};
use crate::answer::Refusal;
use crate::routing::{CompiledRoute, EventRoute, check_route_id};

/// Routes of one instance ("Azure Digital Twins service limits").
const MOST_ROUTES: usize = 6;

fn no_route(id: &str) -> Refusal {
    Refusal::missing("EventRouteNotFound", format!("there is no event route '{id}'"))
}

impl Store {
    /// Creates or replaces a route.
    pub(crate) async fn put_route(&self, id: String, body: &Value) -> Result<(), Refusal> {
        check_route_id(&id)?;
        let route = EventRoute::read(&id, body, self.queues())?;
        let bytes = serde_json::to_vec(&route).unwrap_or_default();
        let route = route.compile().map_err(|message| Refusal::bad("EventRouteFilterInvalid", message))?;
        self.submit(vec![changes(Place::Routes)], move |graph| {
            if graph.routes.len() >= MOST_ROUTES && !graph.routes.contains_key(&id) {
                let message =
                    format!("an instance has {MOST_ROUTES} event routes at the most: delete one first");
                return Err(Refusal::bad("LimitExceeded", message));
            }
            let change = Change::Route { id, route: Arc::new(route), bytes };
            Ok(Plan { changes: vec![change], events: Vec::new(), reply: () })
        })
        .await
    }

    /// Deletes a route. What it let through before is still delivered.
    pub(crate) async fn delete_route(&self, id: String) -> Result<(), Refusal> {
        self.submit(vec![changes(Place::Routes)], move |graph| {
            if !graph.routes.contains_key(&id) {
                return Err(no_route(&id));
            }
            Ok(Plan { changes: vec![Change::DeleteRoute(id)], events: Vec::new(), reply: () })
        })
        .await
    }

    /// One route.
    pub(crate) fn route(&self, id: &str) -> Result<Arc<CompiledRoute>, Refusal> {
        self.graph().routes.get(id).cloned().ok_or_else(|| no_route(id))
    }

    /// Routes after an identifier, in order: at most `size`, and whether there are more.
    pub(crate) fn list_routes(&self, after: &str, size: usize) -> (Vec<Arc<CompiledRoute>>, bool) {
        let graph = self.graph();
        let rest = graph.routes.iter().filter(|(id, _)| id.as_str() > after);
        let mut found: Vec<_> = rest.take(size + 1).map(|(_, route)| Arc::clone(route)).collect();
        let more = found.len() > size;
        found.truncate(size);
        (found, more)
    }
}

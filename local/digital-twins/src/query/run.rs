//! One page of a query, in slices between which writers are let in.

use std::collections::HashSet;
use std::ops::Deref;

use super::ast::{Query, Select};
use super::budget::{Budget, GivenUp};
use super::page::{Collector, Flow, Page, Position};
use super::scan::ScanPlan;
use super::walk::WalkPlan;
use crate::store::Graph;

enum Plan<'q> {
    Scan(ScanPlan),
    Walk(WalkPlan<'q>),
}

/// Runs a query from after a position until a page of `size` rows is full. `graph` takes the lock of the graph, which
/// is held for some milliseconds at a time: what is written meanwhile may or may not be seen, but no row comes twice
/// and none is left out that was there all the time.
pub(crate) fn run<G: Deref<Target = Graph>>(
    query: &Query,
    after: Option<Position>,
    size: usize,
    budget: Budget,
    graph: impl Fn() -> G,
) -> Result<Page, GivenUp> {
    let plan = match query.links.is_empty() {
        true => Plan::Scan(ScanPlan::new(query)),
        false => Plan::Walk(WalkPlan::new(query)),
    };
    let counting = query.select == Select::Count;
    let mut collector = Collector::new(counting, size, budget);
    collector.resume = after;
    loop {
        let graph = graph();
        collector.budget.start_slice();
        let models = models_of(query, &graph);
        if let (Plan::Scan(plan), true) = (&plan, counting)
            && let Some(count) = plan.count(query, &graph, &models)
        {
            return Ok(Page { rows: Vec::new(), count, after: None, examined: 1 });
        }
        let from = collector.resume.take();
        let flow = match &plan {
            Plan::Scan(plan) => plan.run(query, &graph, &models, from.as_ref(), &mut collector)?,
            Plan::Walk(plan) => plan.run(&graph, &models, from.as_ref(), &mut collector)?,
        };
        if flow == Flow::Pause {
            continue;
        }
        let after = if flow == Flow::Full { collector.page_end } else { None };
        let examined = collector.budget.examined;
        return Ok(Page { rows: collector.rows, count: collector.count, after, examined });
    }
}

/// For each `IS_OF_MODEL`, the models of twins that meet it.
fn models_of<'g>(query: &Query, graph: &'g Graph) -> Vec<HashSet<&'g str>> {
    let of_test = query.models.iter().map(|test| {
        let all = graph.index.models().keys().map(|model| &**model);
        all.filter(|model| graph.models.is_of_model(model, &test.model, test.exact)).collect()
    });
    of_test.collect()
}

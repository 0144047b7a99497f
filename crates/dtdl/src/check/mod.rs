//! What only the whole model can break: inheritance, nesting, counts, uniqueness, siblings.

mod cotypes;
mod inherit;
mod nest;
mod siblings;
mod unique;
mod walk;

use crate::fault::Faults;
use crate::graph::Graph;

/// Checks all fresh elements; every link holds already.
pub(crate) fn check(graph: &mut Graph, faults: &mut Faults) {
    crate::link::demands(graph, faults);
    inherit::inherit(graph, faults);
    let graph = &*graph;
    inherit::counts(graph, faults);
    nest::depths(graph, faults);
    nest::excluded(graph, faults);
    unique::unique(graph, faults);
    cotypes::cotypes(graph, faults);
    siblings::siblings(graph, faults);
}

//! JOIN and MATCH: from the twin that WHERE names, along one relationship after another.
//!
//! A row is one way to choose a twin for each node and a relationship for each single hop; a stretch of several hops
//! counts once for each twin that it leads to, however many paths do.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::ast::{Condition, Query};
use super::budget::GivenUp;
use super::evaluate::{Document, Parts};
use super::page::{Collector, Flow, Position, Row};
use super::pins;
use super::trails::{Family, Stretch, extend, ways};
use crate::store::{Edge, Graph, Index, Node};

/// Where to begin, and which link to follow after which.
#[derive(Debug)]
pub(super) struct WalkPlan<'q> {
    query: &'q Query,
    start: usize,
    starts: BTreeSet<String>,
    steps: Vec<Step>,
    /// Conditions that can be asked once the start is chosen, and after each step.
    checks: Vec<Vec<&'q Condition>>,
    /// For each `IS_OF_MODEL`, the slot that it asks.
    model_slots: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    link: usize,
    from: usize,
    to: usize,
    reversed: bool,
    hops_after: usize,
}

impl<'q> WalkPlan<'q> {
    /// Begins at the collection that the fewest twins can fill.
    pub(super) fn new(query: &'q Query) -> Self {
        let twins = query.slots.iter().enumerate().filter(|(_, slot)| slot.is_twin());
        let pinned: Vec<(usize, BTreeSet<String>)> =
            twins.filter_map(|(slot, _)| Some((slot, pins::texts(query, slot, &["$dtId"])?))).collect();
        let few: HashSet<usize> = pinned.iter().map(|(slot, _)| *slot).collect();
        let best = pinned.into_iter().min_by_key(|(_, ids)| ids.len());
        let (start, starts) = best.unwrap_or_default();
        let mut plan = Self {
            query,
            start,
            starts,
            steps: Vec::new(),
            checks: Vec::new(),
            model_slots: query.models.iter().map(|test| test.slot).collect(),
        };
        plan.order_links(&few);
        plan.order_checks();
        plan
    }

    fn order_links(&mut self, few: &HashSet<usize>) {
        let links = &self.query.links;
        let mut bound = HashSet::from([self.start]);
        let mut open: Vec<usize> = (0..links.len()).collect();
        while !open.is_empty() {
            // First what closes a circle, then what leads to few twins, then single hops.
            let rank = |number: &usize| {
                let link = &links[*number];
                match (bound.contains(&link.from), bound.contains(&link.to)) {
                    (false, false) => 9,
                    (true, true) => 0,
                    (true, false) if few.contains(&link.to) => 1,
                    (false, true) if few.contains(&link.from) => 1,
                    _ if link.relationship.is_some() => 2,
                    _ => 3,
                }
            };
            let Some(place) = (0..open.len()).min_by_key(|place| rank(&open[*place])) else { return };
            let number = open.remove(place);
            let link = &links[number];
            let reversed = !bound.contains(&link.from);
            let (from, to) = if reversed { (link.to, link.from) } else { (link.from, link.to) };
            bound.insert(to);
            let hops_after = open.iter().map(|number| links[*number].hops.1).sum();
            self.steps.push(Step { link: number, from, to, reversed, hops_after });
        }
    }

    fn order_checks(&mut self) {
        let query = self.query;
        let mut bound = 1_u64 << self.start;
        let mut levels = vec![bound];
        for step in &self.steps {
            bound |= 1 << step.to;
            if let Some(relationship) = query.links[step.link].relationship {
                bound |= 1 << relationship;
            }
            levels.push(bound);
        }
        self.checks = vec![Vec::new(); levels.len()];
        for condition in query.conjuncts() {
            let parts = query.parts_of(condition);
            let level = levels.iter().position(|bound| parts & !bound == 0).unwrap_or(levels.len() - 1);
            self.checks[level].push(condition);
        }
    }

    /// Collects rows after a position until the page is full, the lock should be let go, or there are no more.
    pub(super) fn run(
        &self,
        graph: &Graph,
        models: &[HashSet<&str>],
        after: Option<&Position>,
        collector: &mut Collector,
    ) -> Result<Flow, GivenUp> {
        let slots = self.query.slots.len();
        let mut walk = Walk {
            plan: self,
            index: &graph.index,
            models,
            nodes: vec![None; slots],
            edges: vec![None; slots],
            documents: vec![None; slots],
            position: Vec::new(),
        };
        walk.begin(after.map_or(&[], Vec::as_slice), collector)
    }
}

/// What was chosen at one step.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Twin(Node),
    Relationship { incoming: bool, edge: Edge },
}

struct Walk<'a> {
    plan: &'a WalkPlan<'a>,
    index: &'a Index,
    models: &'a [HashSet<&'a str>],
    nodes: Vec<Option<Node>>,
    edges: Vec<Option<Edge>>,
    documents: Vec<Option<&'a Document>>,
    position: Vec<Choice>,
}

/// How a candidate stands to the position that the page begins after.
enum Turn<'p> {
    Skip,
    /// It is new, or on the way to what is new.
    Enter(&'p [Vec<String>]),
}

fn turn<'p>(resume: &'p [Vec<String>], key: &[&str]) -> Turn<'p> {
    let Some((first, rest)) = resume.split_first() else { return Turn::Enter(&[]) };
    match key.iter().copied().cmp(first.iter().map(String::as_str)) {
        std::cmp::Ordering::Less => Turn::Skip,
        std::cmp::Ordering::Equal if rest.is_empty() => Turn::Skip,
        std::cmp::Ordering::Equal => Turn::Enter(rest),
        std::cmp::Ordering::Greater => Turn::Enter(&[]),
    }
}

impl<'a> Walk<'a> {
    fn begin(&mut self, resume: &[Vec<String>], collector: &mut Collector) -> Result<Flow, GivenUp> {
        let plan = self.plan;
        for id in &plan.starts {
            let Turn::Enter(rest) = turn(resume, &[id]) else { continue };
            collector.step()?;
            let Some(node) = self.index.find(id) else { continue };
            self.choose_twin(plan.start, node);
            self.position.push(Choice::Twin(node));
            let flow = self.proceed(0, &vec![Vec::new()], rest, collector)?;
            self.position.pop();
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Asks the conditions of a level, goes on to the next, and looks whether to pause.
    fn proceed(
        &mut self,
        level: usize,
        family: &Family,
        resume: &[Vec<String>],
        collector: &mut Collector,
    ) -> Result<Flow, GivenUp> {
        let parts =
            Parts { documents: &self.documents, models: self.models, model_slots: &self.plan.model_slots };
        if !self.plan.checks[level].iter().all(|condition| parts.meet(condition)) {
            return Ok(collector.pause(|| self.place()));
        }
        let flow = match self.plan.steps.get(level) {
            None => collector.take(|| self.row(), || self.place()),
            Some(step) if self.plan.query.links[step.link].relationship.is_some() => {
                self.single_hop(level, *step, family, resume, collector)?
            }
            Some(step) => self.stretch(level, *step, family, resume, collector)?,
        };
        match flow {
            Flow::Next => Ok(collector.pause(|| self.place())),
            other => Ok(other),
        }
    }

    fn single_hop(
        &mut self,
        level: usize,
        step: Step,
        family: &Family,
        resume: &[Vec<String>],
        collector: &mut Collector,
    ) -> Result<Flow, GivenUp> {
        let plan = self.plan;
        let link = &plan.query.links[step.link];
        let Some(from) = self.nodes[step.from] else { return Ok(Flow::Next) };
        let closed = self.nodes[step.to];
        for (incoming, edge, other) in ways(self.index, link, step.reversed, from) {
            collector.step()?;
            let entry = self.index.edge(edge);
            let direction = if incoming { "1" } else { "0" };
            let rest = match resume {
                [] => &[],
                _ => match turn(resume, &[direction, &entry.name, &entry.source_id, &entry.id]) {
                    Turn::Skip => continue,
                    Turn::Enter(rest) => rest,
                },
            };
            if closed.is_some_and(|closed| closed != other) {
                continue;
            }
            let longer = if plan.query.distinct { extend(family, edge) } else { Family::new() };
            if plan.query.distinct && longer.is_empty() {
                continue;
            }
            if let Some(slot) = link.relationship {
                self.edges[slot] = Some(edge);
                self.documents[slot] = Some(&entry.document);
            }
            self.choose_twin(step.to, other);
            self.position.push(Choice::Relationship { incoming, edge });
            let flow = self.proceed(level + 1, &longer, rest, collector)?;
            self.position.pop();
            self.nodes[step.to] = closed;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn stretch(
        &mut self,
        level: usize,
        step: Step,
        family: &Family,
        resume: &[Vec<String>],
        collector: &mut Collector,
    ) -> Result<Flow, GivenUp> {
        let plan = self.plan;
        let link = &plan.query.links[step.link];
        let Some(from) = self.nodes[step.from] else { return Ok(Flow::Next) };
        let closed = self.nodes[step.to];
        let stretch =
            Stretch { index: self.index, link, reversed: step.reversed, hops_after: step.hops_after };
        let reached = stretch.reach(from, family, &mut collector.budget)?;
        // After a pause it is worked out anew, so there must be time to get on with it.
        collector.budget.start_slice();
        for (id, (other, longer)) in reached {
            collector.step()?;
            let Turn::Enter(rest) = turn(resume, &[id]) else { continue };
            if closed.is_some_and(|closed| closed != other) {
                continue;
            }
            self.choose_twin(step.to, other);
            self.position.push(Choice::Twin(other));
            let flow = self.proceed(level + 1, &longer, rest, collector)?;
            self.position.pop();
            self.nodes[step.to] = closed;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn choose_twin(&mut self, slot: usize, node: Node) {
        self.nodes[slot] = Some(node);
        self.documents[slot] = self.index.node(node).twin.as_deref();
    }

    /// The position in names that mean the same after the lock was let go.
    fn place(&self) -> Position {
        let names = self.position.iter().map(|choice| match choice {
            Choice::Twin(node) => vec![self.index.node(*node).id.to_string()],
            Choice::Relationship { incoming, edge } => {
                let edge = self.index.edge(*edge);
                let direction = if *incoming { "1" } else { "0" };
                vec![direction.into(), edge.name.to_string(), edge.source_id.to_string(), edge.id.to_string()]
            }
        });
        names.collect()
    }

    fn row(&self) -> Row {
        let slots = self.nodes.iter().zip(&self.edges);
        slots
            .map(|(node, edge)| match (node, edge) {
                (Some(node), _) => self.index.node(*node).twin.clone(),
                (None, Some(edge)) => Some(Arc::clone(&self.index.edge(*edge).document)),
                (None, None) => None,
            })
            .collect()
    }
}

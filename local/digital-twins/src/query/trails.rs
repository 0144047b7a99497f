//! Stretches of several hops: which twins can be reached, when no relationship may be used twice.
//!
//! There may be more paths than atoms, but not all of them matter. Two paths to the same twin differ only in which
//! relationships they use up. A path need be kept only if some way onward, of the hops that are left, is closed to
//! every path kept so far and open to it. With `p` hops done and `q` left, at most (p+q over p) are ever kept: 252 for
//! ten hops, however many paths there are. This is exact; nothing that can be reached is missed.
//!
//! Source: B. Monien, "How to find long paths efficiently", for the idea of representatives.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::ast::{Direction, Link};
use super::budget::{Budget, GivenUp};
use crate::store::{Edge, Index, Node};

/// The relationships that one path uses up.
pub(super) type Trail = Vec<Edge>;

/// Paths to one place, enough to stand for all.
pub(super) type Family = Vec<Trail>;

/// Paths kept of each twin in the first, quick attempt.
const QUICK: usize = 3;

/// Twins at the end of a stretch, by identifier, each with paths that lead there.
pub(super) type Reached<'g> = BTreeMap<&'g str, (Node, Family)>;

/// A stretch of several hops.
pub(super) struct Stretch<'a> {
    pub(super) index: &'a Index,
    pub(super) link: &'a Link,
    /// The stretch is walked from its end.
    pub(super) reversed: bool,
    /// Hops of the pattern still to come after this stretch.
    pub(super) hops_after: usize,
}

/// The relationships of a twin that a link may take, each with the twin at its other end, in a fixed order.
pub(super) fn ways<'a>(
    index: &'a Index,
    link: &'a Link,
    reversed: bool,
    node: Node,
) -> impl Iterator<Item = (bool, Edge, Node)> + 'a {
    let forward = match link.direction {
        Direction::Forward => [true, false],
        Direction::Backward => [false, true],
        Direction::Either => [true, true],
    };
    let forward = if reversed { [forward[1], forward[0]] } else { forward };
    let entry = index.node(node);
    let lists = [(false, &entry.outgoing), (true, &entry.incoming)];
    lists.into_iter().zip(forward).filter(|(_, wanted)| *wanted).flat_map(move |((incoming, edges), _)| {
        let whole = link.names.is_empty().then_some(edges.as_slice());
        let named = link.names.iter().map(move |name| index.named_among(edges, name));
        whole.into_iter().chain(named).flatten().filter_map(move |edge| {
            let found = index.edge(*edge);
            let other = if incoming { found.source } else { found.target };
            // A relationship from a twin to itself is one way, not two.
            let twice = incoming && found.source == found.target && link.direction == Direction::Either;
            (!twice && index.node(other).twin.is_some()).then_some((incoming, *edge, other))
        })
    })
}

/// The paths of a family, each with one relationship more; none uses it already.
pub(super) fn extend(family: &Family, edge: Edge) -> Family {
    let open = family.iter().filter(|trail| !trail.contains(&edge));
    open.map(|trail| [trail.as_slice(), &[edge]].concat()).collect()
}

impl<'a> Stretch<'a> {
    /// Everything that the stretch reaches from a twin.
    pub(super) fn reach(
        &self,
        start: Node,
        family: &Family,
        budget: &mut Budget,
    ) -> Result<Reached<'a>, GivenUp> {
        if self.hops_after == 0 {
            // Only what is reached counts now, and in most graphs few paths show it. Walks that may repeat
            // relationships reach no less: what they reach not either need not be looked for.
            let (reached, complete) = self.reach_keeping(start, family, QUICK, budget)?;
            if complete || reached.len() == self.walk(start, budget)?.len() {
                return Ok(reached);
            }
        }
        Ok(self.reach_keeping(start, family, usize::MAX, budget)?.0)
    }

    /// The same with at most `most` paths for each twin and number of hops, and whether these were enough.
    fn reach_keeping(
        &self,
        start: Node,
        family: &Family,
        most: usize,
        budget: &mut Budget,
    ) -> Result<(Reached<'a>, bool), GivenUp> {
        let (fewest, last) = self.link.hops;
        let mut reached = Reached::new();
        let mut complete = true;
        let mut layer = HashMap::from([(start, family.clone())]);
        for hop in 1..=last {
            let left = last - hop + self.hops_after;
            let mut next: HashMap<Node, Family> = HashMap::new();
            for (node, family) in &layer {
                for (_, edge, other) in ways(self.index, self.link, self.reversed, *node) {
                    budget.step()?;
                    for trail in family.iter().filter(|trail| !trail.contains(&edge)) {
                        let kept = next.entry(other).or_default();
                        let longer = [trail.as_slice(), &[edge]].concat();
                        if !is_needed(kept, &longer, left, &mut Vec::new(), budget)? {
                            continue;
                        }
                        if kept.len() >= most {
                            complete = false;
                            continue;
                        }
                        budget.remember(longer.len() + 6)?;
                        kept.push(longer);
                    }
                }
            }
            next.retain(|_, family| !family.is_empty());
            if hop >= fewest {
                for (node, family) in &next {
                    let (_, ends) =
                        reached.entry(&*self.index.node(*node).id).or_insert_with(|| (*node, Family::new()));
                    for trail in family {
                        if is_needed(ends, trail, self.hops_after, &mut Vec::new(), budget)? {
                            budget.remember(trail.len() + 6)?;
                            ends.push(trail.clone());
                        }
                    }
                }
            }
            layer = next;
        }
        Ok((reached, complete))
    }

    /// Twins that walks of these hops reach, where relationships may repeat.
    fn walk(&self, start: Node, budget: &mut Budget) -> Result<HashSet<Node>, GivenUp> {
        let (fewest, last) = self.link.hops;
        let mut reached = HashSet::new();
        let mut layer = HashSet::from([start]);
        for hop in 1..=last {
            let mut next = HashSet::new();
            for node in &layer {
                for (_, _, other) in ways(self.index, self.link, self.reversed, *node) {
                    budget.step()?;
                    next.insert(other);
                }
            }
            if hop >= fewest {
                reached.extend(&next);
            }
            layer = next;
        }
        Ok(reached)
    }
}

/// Whether some `room` relationships, none of them on the candidate, block every kept path.
fn is_needed(
    kept: &[Trail],
    candidate: &[Edge],
    room: usize,
    blocked: &mut Vec<Edge>,
    budget: &mut Budget,
) -> Result<bool, GivenUp> {
    let Some(open) = kept.iter().find(|trail| !trail.iter().any(|edge| blocked.contains(edge))) else {
        return Ok(true);
    };
    if room == 0 {
        return Ok(false);
    }
    budget.step()?;
    for edge in open.iter().filter(|edge| !candidate.contains(edge)) {
        blocked.push(*edge);
        let needed = is_needed(kept, candidate, room - 1, blocked, budget)?;
        blocked.pop();
        if needed {
            return Ok(true);
        }
    }
    Ok(false)
}

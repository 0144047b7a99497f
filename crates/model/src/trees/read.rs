//! From an operator's attributes to a checked table (pages TreeEnsembleRegressor and TreeEnsembleClassifier of ONNX).

use std::collections::HashMap;

use super::table::{Aggregate, Compare, Node, Transform, TreeEnsemble};
use crate::{ModelError, Operator};

/// The most nodes of all trees together.
pub const MAX_NODES: usize = 1_000_000;
/// The longest way from a root to a leaf.
pub const MAX_DEPTH: usize = 512;
/// The most features of a row.
pub const MAX_FEATURES: usize = 4_096;
/// The most outputs of a row.
pub const MAX_OUTPUTS: usize = 1_024;

type Place = (i64, i64);

impl TreeEnsemble {
    /// Checks an operator's trees and makes them a table.
    ///
    /// # Errors
    /// The operator is another one, an attribute is missing or asks for what is not done, or the nodes are no trees.
    pub fn read(operator: &Operator) -> Result<Self, ModelError> {
        let classifier = match (operator.domain.as_str(), operator.kind.as_str()) {
            ("ai.onnx.ml", "TreeEnsembleRegressor") => false,
            ("ai.onnx.ml", "TreeEnsembleClassifier") => true,
            _ => return Err(ModelError::Unsupported("operator", operator.kind.clone())),
        };
        if let Some(tensor) = operator.attributes.iter().find(|one| one.name.ends_with("_as_tensor")) {
            return Err(ModelError::Unsupported("doubles", tensor.name.clone()));
        }
        let places = places(operator)?;
        let outputs = outputs(operator, classifier)?;
        let mut nodes = branches(operator, &places)?;
        let roots = check_trees(&nodes, &places)?;
        let weights = leaves(operator, classifier, outputs, &places, &mut nodes)?;
        let features = nodes.iter().fold(0, |most, node| match node {
            Node::Branch { feature, .. } => most.max(*feature as usize + 1),
            Node::Leaf { .. } => most,
        });
        // Weights for the first label alone are those of the second class: so ONNX Runtime takes them, measured.
        let complement = classifier && outputs == 2 && weights.iter().all(|(output, _)| *output == 0);
        let positive = weights.iter().all(|(_, weight)| *weight >= 0.0);
        let weights =
            if complement { weights.into_iter().map(|(_, weight)| (1, weight)).collect() } else { weights };
        let mut base = operator.attribute("base_values").map(|one| one.floats.clone()).unwrap_or_default();
        if classifier && outputs == 2 && base.len() == 2 {
            // ONNX Runtime adds them in a way that the operator's page does not say.
            return Err(ModelError::Unsupported("base_values of two classes", format!("{base:?}")));
        }
        if complement && base.len() == 1 {
            base.insert(0, 0.0);
        }
        if !base.is_empty() && base.len() != outputs {
            return Err(ModelError::Attribute("base_values"));
        }
        let transform = match text(operator, "post_transform", "NONE") {
            "NONE" => Transform::Nothing,
            "LOGISTIC" => Transform::Logistic,
            "SOFTMAX" if !complement => Transform::Softmax,
            other => return Err(ModelError::Unsupported("post_transform", other.into())),
        };
        let aggregate = match text(operator, "aggregate_function", "SUM") {
            "SUM" => Aggregate::Sum,
            "AVERAGE" => Aggregate::Average,
            "MIN" => Aggregate::Least,
            "MAX" => Aggregate::Most,
            other => return Err(ModelError::Unsupported("aggregate_function", other.into())),
        };
        Ok(Self {
            nodes,
            roots,
            weights,
            base,
            outputs,
            features,
            aggregate,
            transform,
            complement,
            positive,
        })
    }
}

fn text<'a>(operator: &'a Operator, name: &str, otherwise: &'a str) -> &'a str {
    operator.attribute(name).and_then(|one| one.text.as_deref()).unwrap_or(otherwise)
}

fn ints<'a>(operator: &'a Operator, name: &'static str, count: usize) -> Result<&'a [i64], ModelError> {
    operator
        .attribute(name)
        .map(|one| one.ints.as_slice())
        .filter(|ints| ints.len() == count)
        .ok_or(ModelError::Attribute(name))
}

fn floats<'a>(operator: &'a Operator, name: &'static str, count: usize) -> Result<&'a [f32], ModelError> {
    let floats =
        operator.attribute(name).map(|one| one.floats.as_slice()).filter(|floats| floats.len() == count);
    floats.filter(|floats| floats.iter().all(|float| float.is_finite())).ok_or(ModelError::Attribute(name))
}

fn outputs(operator: &Operator, classifier: bool) -> Result<usize, ModelError> {
    let found = if classifier {
        let count = |name| operator.attribute(name).map_or(0, |one| one.ints.len().max(one.texts.len()));
        count("classlabels_int64s").max(count("classlabels_strings"))
    } else {
        let targets = operator
            .attribute("n_targets")
            .and_then(|one| one.int)
            .ok_or(ModelError::Attribute("n_targets"))?;
        usize::try_from(targets).map_err(|_| ModelError::Attribute("n_targets"))?
    };
    match found {
        0 => Err(ModelError::Attribute(if classifier { "classlabels" } else { "n_targets" })),
        1..=MAX_OUTPUTS => Ok(found),
        _ => Err(ModelError::TooLarge("outputs", found, MAX_OUTPUTS)),
    }
}

/// Where each (tree, node) of the file is in the table.
fn places(operator: &Operator) -> Result<HashMap<Place, u32>, ModelError> {
    let trees = operator.attribute("nodes_treeids").map_or(&[][..], |one| &one.ints);
    if trees.is_empty() {
        return Err(ModelError::Attribute("nodes_treeids"));
    }
    if trees.len() > MAX_NODES {
        return Err(ModelError::TooLarge("nodes", trees.len(), MAX_NODES));
    }
    let ids = ints(operator, "nodes_nodeids", trees.len())?;
    let mut places = HashMap::with_capacity(trees.len());
    for (at, (place, index)) in trees.iter().copied().zip(ids.iter().copied()).zip(0_u32..).enumerate() {
        if places.insert(place, index).is_some() {
            return Err(ModelError::Tree("its id is there twice", at));
        }
    }
    Ok(places)
}

fn branches(operator: &Operator, places: &HashMap<Place, u32>) -> Result<Vec<Node>, ModelError> {
    let count = places.len();
    let trees = ints(operator, "nodes_treeids", count)?;
    let features = ints(operator, "nodes_featureids", count)?;
    let yes = ints(operator, "nodes_truenodeids", count)?;
    let no = ints(operator, "nodes_falsenodeids", count)?;
    let values = floats(operator, "nodes_values", count)?;
    let modes = operator.attribute("nodes_modes").map_or(&[][..], |one| &one.texts);
    if modes.len() != count {
        return Err(ModelError::Attribute("nodes_modes"));
    }
    let missing = match operator.attribute("nodes_missing_value_tracks_true") {
        Some(one) if !one.ints.is_empty() => ints(operator, "nodes_missing_value_tracks_true", count)?,
        _ => &[],
    };
    let mut nodes = Vec::with_capacity(count);
    for (at, mode) in modes.iter().enumerate() {
        let compare = match mode.as_str() {
            "LEAF" => {
                nodes.push(Node::Leaf { first: 0, end: 0 });
                continue;
            }
            "BRANCH_LEQ" => Compare::LessOrEqual,
            "BRANCH_LT" => Compare::Less,
            "BRANCH_GTE" => Compare::GreaterOrEqual,
            "BRANCH_GT" => Compare::Greater,
            "BRANCH_EQ" => Compare::Equal,
            "BRANCH_NEQ" => Compare::NotEqual,
            other => return Err(ModelError::Unsupported("nodes_modes", other.into())),
        };
        let link = |to: i64| {
            places.get(&(trees[at], to)).copied().ok_or(ModelError::Tree("its branch leads to no node", at))
        };
        let feature = u32::try_from(features[at]).ok().filter(|feature| (*feature as usize) < MAX_FEATURES);
        nodes.push(Node::Branch {
            compare,
            feature: feature.ok_or(ModelError::Tree("its feature is out of range", at))?,
            value: values[at],
            missing_is_true: missing.get(at).is_some_and(|tracks| *tracks != 0),
            yes: link(yes[at])?,
            no: link(no[at])?,
        });
    }
    Ok(nodes)
}

/// Each tree has one root, each other node one parent, and all are reached within the depth: so there is no cycle.
fn check_trees(nodes: &[Node], places: &HashMap<Place, u32>) -> Result<Vec<u32>, ModelError> {
    let mut has_parent = vec![false; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if let Node::Branch { yes, no, .. } = node {
            for child in [*yes, *no] {
                if std::mem::replace(&mut has_parent[child as usize], true) {
                    return Err(ModelError::Tree("a node below it has two parents", at));
                }
            }
        }
    }
    let mut tree_of = vec![0; nodes.len()];
    for ((tree, _), at) in places {
        tree_of[*at as usize] = *tree;
    }
    let mut roots: HashMap<i64, u32> = HashMap::new();
    let mut order = Vec::new();
    for (at, index) in (0..nodes.len()).zip(0_u32..) {
        if !has_parent[at] {
            if roots.insert(tree_of[at], index).is_some() {
                return Err(ModelError::Tree("its tree has another root", at));
            }
            order.push(index);
        }
    }
    let mut reached = 0;
    let mut waiting: Vec<(u32, usize)> = order.iter().map(|root| (*root, 1)).collect();
    while let Some((at, depth)) = waiting.pop() {
        reached += 1;
        if depth > MAX_DEPTH {
            return Err(ModelError::TooLarge("levels in a tree or more", depth, MAX_DEPTH));
        }
        if let Node::Branch { yes, no, .. } = nodes[at as usize] {
            waiting.extend([(yes, depth + 1), (no, depth + 1)]);
        }
    }
    if reached != nodes.len() {
        return Err(ModelError::Tree("some nodes are in a cycle that no root reaches", reached));
    }
    Ok(order)
}

fn leaves(
    operator: &Operator,
    classifier: bool,
    outputs: usize,
    places: &HashMap<Place, u32>,
    nodes: &mut [Node],
) -> Result<Vec<(u32, f32)>, ModelError> {
    let [trees, ids, targets, weights] = if classifier {
        ["class_treeids", "class_nodeids", "class_ids", "class_weights"]
    } else {
        ["target_treeids", "target_nodeids", "target_ids", "target_weights"]
    };
    let count = operator.attribute(weights).map_or(0, |one| one.floats.len());
    if count == 0 {
        return Err(ModelError::Attribute(weights));
    }
    let (trees, ids, targets) =
        (ints(operator, trees, count)?, ints(operator, ids, count)?, ints(operator, targets, count)?);
    let weights = floats(operator, weights, count)?;
    let mut found = Vec::with_capacity(count);
    for at in 0..count {
        let leaf = *places
            .get(&(trees[at], ids[at]))
            .ok_or(ModelError::Tree("its weight belongs to no node", at))?;
        let target = u32::try_from(targets[at]).ok().filter(|target| (*target as usize) < outputs);
        found.push((
            leaf,
            target.ok_or(ModelError::Tree("its weight is for an output that is not there", at))?,
            weights[at],
        ));
    }
    // Stable, so that a leaf's weights are added in the file's order.
    found.sort_by_key(|(leaf, _, _)| *leaf);
    for (index, (leaf, _, _)) in (0_u32..).zip(&found) {
        match &mut nodes[*leaf as usize] {
            Node::Leaf { end, .. } if *end > 0 => *end = index + 1,
            Node::Leaf { first, end } => (*first, *end) = (index, index + 1),
            Node::Branch { .. } => {
                return Err(ModelError::Tree("it is a branch and has a weight", *leaf as usize));
            }
        }
    }
    Ok(found.into_iter().map(|(_, target, weight)| (target, weight)).collect())
}

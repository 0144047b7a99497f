//! Tree ensembles against a naive walk, hostile trees, and bytes at random.

use twinwright_model::{Attribute, MAX_DEPTH, Model, ModelError, Operator, TreeEnsemble};

/// A small generator (xorshift), so that runs repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn number(&mut self) -> f32 {
        self.below(2_001) as f32 / 100.0 - 10.0
    }
}

/// A tree as a person would write it.
enum Tree {
    Leaf(f32),
    Branch(u64, f32, Box<Tree>, Box<Tree>),
}

fn grow(dice: &mut Dice, depth: u64) -> Tree {
    if depth == 0 || dice.below(5) == 0 {
        return Tree::Leaf(dice.number());
    }
    let (feature, value) = (dice.below(4), dice.number());
    Tree::Branch(feature, value, Box::new(grow(dice, depth - 1)), Box::new(grow(dice, depth - 1)))
}

fn naive(tree: &Tree, row: &[f32]) -> f32 {
    match tree {
        Tree::Leaf(weight) => *weight,
        Tree::Branch(feature, value, yes, no) => {
            naive(if row[*feature as usize] <= *value { yes } else { no }, row)
        }
    }
}

/// The columns of the operator.
#[derive(Default)]
struct Columns {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f32>,
    modes: Vec<String>,
    yes: Vec<i64>,
    no: Vec<i64>,
    weights: Vec<(i64, i64, f32)>,
}

impl Columns {
    fn node(&mut self, tree: i64, mode: &str, feature: i64, value: f32, yes: i64, no: i64) -> usize {
        self.ids.push(self.trees.iter().filter(|other| **other == tree).count() as i64);
        self.trees.push(tree);
        self.features.push(feature);
        self.values.push(value);
        self.modes.push(mode.into());
        self.yes.push(yes);
        self.no.push(no);
        self.ids.len() - 1
    }

    fn add(&mut self, number: i64, tree: &Tree) -> i64 {
        match tree {
            Tree::Leaf(weight) => {
                let at = self.node(number, "LEAF", 0, 0.0, 0, 0);
                self.weights.push((number, self.ids[at], *weight));
                self.ids[at]
            }
            Tree::Branch(feature, value, yes, no) => {
                let at = self.node(number, "BRANCH_LEQ", *feature as i64, *value, 0, 0);
                self.yes[at] = self.add(number, yes);
                self.no[at] = self.add(number, no);
                self.ids[at]
            }
        }
    }

    fn operator(&self) -> Operator {
        let ints = |name: &str, ints: Vec<i64>| Attribute { name: name.into(), ints, ..Attribute::default() };
        let floats =
            |name: &str, floats: Vec<f32>| Attribute { name: name.into(), floats, ..Attribute::default() };
        let attributes = vec![
            ints("nodes_treeids", self.trees.clone()),
            ints("nodes_nodeids", self.ids.clone()),
            ints("nodes_featureids", self.features.clone()),
            floats("nodes_values", self.values.clone()),
            Attribute { name: "nodes_modes".into(), texts: self.modes.clone(), ..Attribute::default() },
            ints("nodes_truenodeids", self.yes.clone()),
            ints("nodes_falsenodeids", self.no.clone()),
            ints("target_treeids", self.weights.iter().map(|one| one.0).collect()),
            ints("target_nodeids", self.weights.iter().map(|one| one.1).collect()),
            ints("target_ids", vec![0; self.weights.len()]),
            floats("target_weights", self.weights.iter().map(|one| one.2).collect()),
            Attribute { name: "n_targets".into(), int: Some(1), ..Attribute::default() },
        ];
        Operator { domain: "ai.onnx.ml".into(), kind: "TreeEnsembleRegressor".into(), attributes }
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The operator as a file, as the encoding of Protocol Buffers says.
fn file(operator: &Operator) -> Vec<u8> {
    let mut node = Vec::new();
    field(&mut node, 4, operator.kind.as_bytes());
    field(&mut node, 7, operator.domain.as_bytes());
    for attribute in &operator.attributes {
        let mut bytes = Vec::new();
        field(&mut bytes, 1, attribute.name.as_bytes());
        if let Some(int) = attribute.int {
            varint(&mut bytes, 3 << 3);
            varint(&mut bytes, int as u64);
        }
        let packed: Vec<u8> = attribute.floats.iter().flat_map(|float| float.to_le_bytes()).collect();
        if !packed.is_empty() {
            field(&mut bytes, 7, &packed);
        }
        for int in &attribute.ints {
            varint(&mut bytes, 8 << 3);
            varint(&mut bytes, *int as u64);
        }
        for text in &attribute.texts {
            field(&mut bytes, 9, text.as_bytes());
        }
        field(&mut node, 5, &bytes);
    }
    let (mut graph, mut model) = (Vec::new(), Vec::new());
    field(&mut graph, 1, &node);
    field(&mut model, 7, &graph);
    model
}

fn forest(dice: &mut Dice, count: i64) -> (Vec<Tree>, Columns) {
    let trees: Vec<Tree> = (0..count).map(|_| grow(dice, 6)).collect();
    let mut columns = Columns::default();
    for (number, tree) in (0..).zip(&trees) {
        columns.add(number, tree);
    }
    (trees, columns)
}

#[test]
fn forests_from_files_answer_as_a_naive_walk() {
    let mut dice = Dice(0x5eed);
    for _ in 0..200 {
        let (trees, columns) = forest(&mut dice, 7);
        let model = Model::read(&file(&columns.operator())).expect("a readable file");
        let ensemble = TreeEnsemble::read(&model.operators[0]).expect("good trees");
        assert_eq!((ensemble.trees(), ensemble.outputs()), (7, 1));
        for _ in 0..50 {
            let mut row = [dice.number(), dice.number(), dice.number(), dice.number()];
            if dice.below(10) == 0 {
                row[dice.below(4) as usize] = f32::NAN;
            }
            let expected = trees.iter().fold(0.0, |sum, tree| sum + naive(tree, &row));
            assert_eq!(ensemble.evaluate(&row).expect("a row of four"), vec![expected]);
        }
        assert!(ensemble.features() == 0 || ensemble.evaluate(&[]).is_none(), "a short row has no answer");
    }
}

#[test]
fn hostile_trees_are_refused_with_a_reason() {
    let refused = |change: &dyn Fn(&mut Columns), word: &str| {
        let mut columns = Columns::default();
        let branch = Tree::Branch(1, 0.5, Box::new(Tree::Leaf(1.0)), Box::new(Tree::Leaf(2.0)));
        columns.add(0, &Tree::Branch(0, 0.5, Box::new(branch), Box::new(Tree::Leaf(3.0))));
        change(&mut columns);
        let error = TreeEnsemble::read(&columns.operator()).expect_err(word).to_string();
        assert!(error.contains(word), "{error} should say {word}");
    };
    refused(&|columns| columns.yes[1] = 0, "cycle");
    refused(&|columns| columns.yes[1] = 99, "leads to no node");
    refused(&|columns| columns.yes[1] = 4, "two parents");
    refused(&|columns| columns.features[0] = -1, "feature is out of range");
    refused(&|columns| columns.features[0] = i64::MAX, "feature is out of range");
    refused(&|columns| columns.ids[1] = 0, "there twice");
    refused(&|columns| columns.weights[0].1 = 0, "is a branch and has a weight");
    refused(&|columns| columns.weights[0].1 = 77, "belongs to no node");
    refused(&|columns| columns.values[0] = f32::NAN, "nodes_values");
    refused(&|columns| columns.modes[0] = "BRANCH_MEMBER".into(), "BRANCH_MEMBER");
    refused(&|columns| columns.no.truncate(2), "nodes_falsenodeids");
    refused(&|columns| columns.weights.clear(), "target_weights");
    refused(
        &|columns| {
            columns.node(0, "LEAF", 0, 0.0, 0, 0);
        },
        "another root",
    );
}

#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let mut tree = Tree::Leaf(1.0);
    for _ in 0..MAX_DEPTH {
        tree = Tree::Branch(0, 0.0, Box::new(tree), Box::new(Tree::Leaf(0.0)));
    }
    let mut columns = Columns::default();
    columns.add(0, &tree);
    assert!(matches!(TreeEnsemble::read(&columns.operator()), Err(ModelError::TooLarge(_, _, MAX_DEPTH))));
}

#[test]
fn damaged_files_and_random_bytes_never_panic() {
    let mut dice = Dice(0xbad);
    let good = file(&forest(&mut dice, 3).1.operator());
    let mut still_trees = 0;
    for _ in 0..20_000 {
        let mut bytes = if dice.below(3) == 0 {
            (0..dice.below(200)).map(|_| dice.below(256) as u8).collect()
        } else {
            good.clone()
        };
        for _ in 0..dice.below(4) {
            let at = dice.below(bytes.len().max(1) as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = dice.below(256) as u8;
            }
        }
        let Ok(model) = Model::read(&bytes) else { continue };
        for ensemble in model.operators.iter().filter_map(|operator| TreeEnsemble::read(operator).ok()) {
            still_trees += 1;
            assert!(ensemble.evaluate(&vec![0.5; ensemble.features()]).is_some());
        }
    }
    assert!(still_trees > 0, "some damaged files are still trees");
}

/// A leaf alone as a classifier of two classes; the expected numbers follow what ONNX Runtime 1.32 was seen to answer.
#[test]
fn weights_for_one_of_two_labels_are_taken_as_onnx_runtime_takes_them() {
    let answer = |label: i64, weight: f32, transform: &str, base: &[f32]| {
        let mut columns = Columns::default();
        columns.add(0, &Tree::Leaf(weight));
        let mut operator = columns.operator();
        operator.kind = "TreeEnsembleClassifier".into();
        for attribute in &mut operator.attributes {
            attribute.name = attribute.name.replace("target_", "class_");
            if attribute.name == "class_ids" {
                attribute.ints = vec![label];
            }
        }
        let labels =
            Attribute { name: "classlabels_int64s".into(), ints: vec![0, 1], ..Attribute::default() };
        let post =
            Attribute { name: "post_transform".into(), text: Some(transform.into()), ..Attribute::default() };
        let base = Attribute { name: "base_values".into(), floats: base.to_vec(), ..Attribute::default() };
        operator.attributes.extend([labels, post, base]);
        TreeEnsemble::read(&operator).map(|ensemble| ensemble.evaluate(&[]).expect("no features are needed"))
    };
    assert_eq!(answer(0, 0.25, "NONE", &[]), Ok(vec![0.75, 0.25]), "a chance, and the rest");
    assert_eq!(answer(0, 0.25, "NONE", &[0.25]), Ok(vec![0.5, 0.5]), "with a base");
    assert_eq!(answer(0, -2.0, "NONE", &[]), Ok(vec![2.0, -2.0]), "a margin, and its opposite");
    assert_eq!(answer(1, 0.25, "NONE", &[]), Ok(vec![0.0, 0.25]), "the second label's weight is its own");
    assert_eq!(answer(1, 0.0, "LOGISTIC", &[]), Ok(vec![0.5, 0.5]));
    assert!(answer(0, 0.25, "NONE", &[0.1, 0.2]).is_err(), "two bases");
    assert!(answer(0, 0.25, "PROBIT", &[]).is_err(), "a transformation that is not done");
}

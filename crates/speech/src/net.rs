//! One ONNX network: named inputs in, named outputs out.

use std::path::Path;

use rten::{Model, NodeId, Value, ValueOrView};

use crate::cores::Cores;
use crate::error::{LoadError, NetError};

/// A loaded network with `I` inputs and `O` outputs, in the order they were named at loading.
#[derive(Debug)]
pub(crate) struct Net<const I: usize, const O: usize> {
    name: &'static str,
    model: Model,
    inputs: [NodeId; I],
    outputs: [NodeId; O],
    cores: Cores,
}

impl<const I: usize, const O: usize> Net<I, O> {
    pub(crate) fn load(
        name: &'static str,
        file: &Path,
        cores: &Cores,
        inputs: [&str; I],
        outputs: [&str; O],
    ) -> Result<Self, LoadError> {
        let bytes = std::fs::read(file).map_err(|source| LoadError::read(file, source))?;
        let model =
            Model::load(bytes).map_err(|error| LoadError::unsuitable(file, error.to_string()))?;
        let node = |name: &str| {
            model.find_node(name).ok_or_else(|| {
                LoadError::unsuitable(file, format!("it has nothing called {name:?}"))
            })
        };
        let inputs = try_map(inputs, node)?;
        let outputs = try_map(outputs, node)?;
        Ok(Self { name, model, inputs, outputs, cores: cores.clone() })
    }

    pub(crate) fn run(&self, inputs: [ValueOrView<'_>; I]) -> Result<[Value; O], NetError> {
        let inputs = self.inputs.iter().copied().zip(inputs).collect();
        self.model
            .run_n(inputs, self.outputs, Some(self.cores.options()))
            .map_err(|error| self.failure(error))
    }

    pub(crate) fn failure(&self, error: impl std::fmt::Display) -> NetError {
        NetError { network: self.name, reason: error.to_string() }
    }
}

/// `array::try_map` is not stable yet.
fn try_map<const N: usize, E>(
    names: [&str; N],
    node: impl Fn(&str) -> Result<NodeId, E>,
) -> Result<[NodeId; N], E> {
    let mut failure = None;
    let nodes = names.map(|name| match node(name) {
        Ok(node) => Some(node),
        Err(error) => {
            failure.get_or_insert(error);
            None
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(nodes.map(|node| node.expect("no failure, so every name was found"))),
    }
}

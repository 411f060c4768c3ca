//! CTranslate2's `model.bin`: named arrays of half-precision numbers.
//!
//! Little-endian: version (u32), specification (text), revision (u32), count (u32), then per array its name
//! (text), rank (u8), dimensions (u32 each), type (u8), bytes (u32), data. Text is a length (u16), the
//! bytes and a final NUL. Aliases after the arrays are not needed: we know which arrays are shared.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use rten_simd::f16;

use crate::error::LoadError;

/// The layout this reader knows.
const VERSION: u32 = 6;
const SPECIFICATION: &str = "WhisperSpec";
const HALF: u8 = 4;

/// The arrays of a file, each to be taken once.
#[derive(Debug)]
pub(crate) struct Weights<'a> {
    path: &'a Path,
    arrays: HashMap<String, Array>,
}

#[derive(Debug)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f16>,
}

/// A rank-2 array of half-precision numbers, row by row.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) data: Vec<f16>,
}

impl<'a> Weights<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, LoadError> {
        let file = File::open(path).map_err(|source| LoadError::read(path, source))?;
        let left = file.metadata().map_err(|source| LoadError::read(path, source))?.len();
        let mut reader = Reader { path, source: BufReader::with_capacity(1 << 20, file), left };

        let (version, specification) = (reader.u32()?, reader.text()?);
        if version != VERSION || specification != SPECIFICATION {
            let found = format!("it is {specification:?} in version {version} of its format");
            return Err(LoadError::unsuitable(path, found));
        }
        let _revision = reader.u32()?;
        let count = reader.u32()?;
        let mut arrays = HashMap::new();
        for _ in 0..count {
            if let (name, Some(array)) = reader.array()? {
                arrays.insert(name, array);
            }
        }
        Ok(Self { path, arrays })
    }

    /// How many layers a side (`encoder`, `decoder`) has.
    pub(crate) fn layers(&self, side: &str) -> usize {
        (0..)
            .take_while(|i| {
                self.arrays.contains_key(&format!("{side}/layer_{i}/ffn/linear_0/weight"))
            })
            .count()
    }

    /// Dimensions after the first are taken as one: a convolution's kernel is a matrix row by row too.
    pub(crate) fn matrix(&mut self, name: &str) -> Result<Matrix, LoadError> {
        let Array { shape, data } = self.take(name)?;
        match shape.as_slice() {
            [rows, rest @ ..] if !rest.is_empty() => {
                Ok(Matrix { rows: *rows, columns: rest.iter().product(), data })
            }
            _ => Err(self.unsuitable(format!("{name} has the shape {shape:?}"))),
        }
    }

    pub(crate) fn vector(&mut self, name: &str) -> Result<Vec<f32>, LoadError> {
        let Array { shape, data } = self.take(name)?;
        match shape.as_slice() {
            [_] => Ok(data.into_iter().map(f16::to_f32).collect()),
            _ => Err(self.unsuitable(format!("{name} has the shape {shape:?}"))),
        }
    }

    pub(crate) fn unsuitable(&self, reason: impl Into<String>) -> LoadError {
        LoadError::unsuitable(self.path, reason)
    }

    fn take(&mut self, name: &str) -> Result<Array, LoadError> {
        self.arrays.remove(name).ok_or_else(|| {
            LoadError::unsuitable(self.path, format!("it has no {name} in half precision"))
        })
    }
}

impl Matrix {
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        self.data.iter().map(|value| value.to_f32()).collect()
    }
}

struct Reader<'a, R> {
    path: &'a Path,
    source: R,
    /// Nothing is allocated for more than the file still holds.
    left: u64,
}

impl<R: Read> Reader<'_, R> {
    /// Arrays of other types are skipped: they are settings, all of them implied by the architecture.
    fn array(&mut self) -> Result<(String, Option<Array>), LoadError> {
        let name = self.text()?;
        let rank = self.u8()?;
        let mut shape = Vec::new();
        for _ in 0..rank {
            shape.push(self.u32()? as usize);
        }
        let kind = self.u8()?;
        let size = self.u32()?;
        let bytes = self.bytes(u64::from(size))?;
        if kind != HALF {
            return Ok((name, None));
        }
        let elements = shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        if elements.and_then(|elements| elements.checked_mul(2)) != Some(bytes.len()) {
            let wrong = format!("{name} has the shape {shape:?} in {} bytes", bytes.len());
            return Err(LoadError::unsuitable(self.path, wrong));
        }
        let data = bytes
            .chunks_exact(2)
            .map(|pair| f16::from_bits(u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        Ok((name, Some(Array { shape, data })))
    }

    fn text(&mut self) -> Result<String, LoadError> {
        let size = u16::from_le_bytes(self.fixed()?);
        let mut bytes = self.bytes(u64::from(size))?;
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        String::from_utf8(bytes)
            .map_err(|_| LoadError::unsuitable(self.path, "a name in it is not text"))
    }

    fn u8(&mut self) -> Result<u8, LoadError> {
        self.fixed().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        self.fixed().map(u32::from_le_bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, LoadError> {
        if count > self.left {
            return Err(self.cut_short());
        }
        let mut bytes = vec![0; count as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), LoadError> {
        if bytes.len() as u64 > self.left {
            return Err(self.cut_short());
        }
        self.left -= bytes.len() as u64;
        self.source.read_exact(bytes).map_err(|source| LoadError::read(self.path, source))
    }

    fn cut_short(&self) -> LoadError {
        LoadError::unsuitable(self.path, "it is cut short")
    }
}

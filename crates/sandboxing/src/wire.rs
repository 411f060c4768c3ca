//! The frames between the engine and a command's watcher: a length, then the fields.
//!
//! Both ends are the same binary, so there are no versions. What comes from the other side is
//! still checked: a frame that does not parse ends the command, and never the reader.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::command::{Command, Confinement, Errors, Network, Root, Sockets, Writes};
use crate::running::{Ending, Exit};

/// Longest frame: arguments and environment together, of which Linux itself allows two megabytes.
pub(crate) const MAX_FRAME: usize = 8 << 20;

/// From the engine: one, and then the end of its side is the order to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    Run(Command),
}

/// From a watcher, or from the spawner in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    Started,
    /// The command was not started.
    Refused {
        refusal: Refusal,
        message: String,
    },
    /// It and all its processes have ended. Nothing follows.
    Ended(Exit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// The kernel does not give the confinement that was asked for.
    NoSandbox,
    NotFound,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame")]
pub(crate) struct Malformed;

impl Order {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Run(command) => {
                let Command { argv, cwd, env, confinement, errors, time_limit, output_limit } =
                    command;
                let Confinement { writes, network } = confinement;
                out.byte(0);
                out.list(argv, |out, arg| out.bytes(arg.as_bytes()));
                out.bytes(cwd.as_os_str().as_bytes());
                out.list(env, |out, (name, value)| {
                    out.bytes(name.as_bytes());
                    out.bytes(value.as_bytes());
                });
                match writes {
                    Writes::Anywhere => out.byte(0),
                    Writes::Only(roots) => {
                        out.byte(1);
                        out.list(roots, |out, Root { path, sockets }| {
                            out.bytes(path.as_os_str().as_bytes());
                            out.byte(match sockets {
                                Sockets::Open => 0,
                                Sockets::Closed => 1,
                            });
                        });
                    }
                }
                out.byte(match network {
                    Network::Open => 0,
                    Network::Closed => 1,
                });
                out.byte(match errors {
                    Errors::WithOutput => 0,
                    Errors::Discarded => 1,
                });
                out.duration(*time_limit);
                out.number(*output_limit as u64);
            }
        }
        out.frame()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut input = Decoder(body);
        let order = match input.byte()? {
            0 => Self::Run(Command {
                argv: input.list(Decoder::os_string)?,
                cwd: PathBuf::from(input.os_string()?),
                env: input.list(|input| Ok((input.os_string()?, input.os_string()?)))?,
                confinement: Confinement {
                    writes: match input.byte()? {
                        0 => Writes::Anywhere,
                        1 => Writes::Only(input.list(Decoder::root)?),
                        _ => return Err(Malformed),
                    },
                    network: match input.byte()? {
                        0 => Network::Open,
                        1 => Network::Closed,
                        _ => return Err(Malformed),
                    },
                },
                errors: match input.byte()? {
                    0 => Errors::WithOutput,
                    1 => Errors::Discarded,
                    _ => return Err(Malformed),
                },
                time_limit: input.duration()?,
                output_limit: usize::try_from(input.number()?).map_err(|_| Malformed)?,
            }),
            _ => return Err(Malformed),
        };
        input.end()?;
        Ok(order)
    }
}

impl Report {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Started => out.byte(0),
            Self::Refused { refusal, message } => {
                out.byte(1);
                out.byte(match refusal {
                    Refusal::NoSandbox => 0,
                    Refusal::NotFound => 1,
                    Refusal::Failed => 2,
                });
                out.bytes(message.as_bytes());
            }
            Self::Ended(Exit { ending, code, signal }) => {
                out.byte(2);
                out.byte(match ending {
                    Ending::Exited => 0,
                    Ending::Killed => 1,
                    Ending::TimedOut => 2,
                    Ending::Lost => 3,
                });
                out.optional(*code);
                out.optional(*signal);
            }
        }
        out.frame()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut input = Decoder(body);
        let report = match input.byte()? {
            0 => Self::Started,
            1 => Self::Refused {
                refusal: match input.byte()? {
                    0 => Refusal::NoSandbox,
                    1 => Refusal::NotFound,
                    2 => Refusal::Failed,
                    _ => return Err(Malformed),
                },
                message: String::from_utf8_lossy(input.bytes()?).into_owned(),
            },
            2 => Self::Ended(Exit {
                ending: match input.byte()? {
                    0 => Ending::Exited,
                    1 => Ending::Killed,
                    2 => Ending::TimedOut,
                    3 => Ending::Lost,
                    _ => return Err(Malformed),
                },
                code: input.optional()?,
                signal: input.optional()?,
            }),
            _ => return Err(Malformed),
        };
        input.end()?;
        Ok(report)
    }
}

/// Takes the first whole frame off `buffer`; `None` while it is incomplete.
pub(crate) fn take_frame(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*head) as usize;
    if MAX_FRAME < len {
        return Err(Malformed);
    }
    if buffer.len() < 4 + len {
        return Ok(None);
    }
    let rest = buffer.split_off(4 + len);
    let mut frame = std::mem::replace(buffer, rest);
    frame.drain(..4);
    Ok(Some(frame))
}

#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn optional(&mut self, number: Option<i32>) {
        self.byte(u8::from(number.is_some()));
        self.0.extend(number.unwrap_or(0).to_le_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    fn frame(self) -> Vec<u8> {
        // A longer body is refused by the reader, whatever the length says.
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let mut frame = len.to_le_bytes().to_vec();
        frame.extend(self.0);
        frame
    }
}

struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn duration(&mut self) -> Result<Duration, Malformed> {
        self.number().map(Duration::from_millis)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        let (head, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn os_string(&mut self) -> Result<OsString, Malformed> {
        self.bytes().map(|bytes| OsString::from_vec(bytes.to_vec()))
    }

    fn optional(&mut self) -> Result<Option<i32>, Malformed> {
        let present = self.byte()? != 0;
        let number = i32::from_le_bytes(self.array()?);
        Ok(present.then_some(number))
    }

    fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let len = self.number()?;
        // Not reserved ahead: the length is only a claim.
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(each(self)?);
        }
        Ok(items)
    }

    fn root(&mut self) -> Result<Root, Malformed> {
        let path = PathBuf::from(self.os_string()?);
        let sockets = match self.byte()? {
            0 => Sockets::Open,
            1 => Sockets::Closed,
            _ => return Err(Malformed),
        };
        Ok(Root { path, sockets })
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order::Run(Command {
            argv: vec!["bash".into(), "-c".into(), OsString::from_vec(vec![0xff, b'x'])],
            cwd: "/tmp".into(),
            env: vec![("PATH".into(), "/bin".into()), ("EMPTY".into(), "".into())],
            confinement: Confinement {
                writes: Writes::Only(vec![
                    Root { path: "/w".into(), sockets: Sockets::Open },
                    Root { path: "/tmp".into(), sockets: Sockets::Closed },
                ]),
                network: Network::Closed,
            },
            errors: Errors::Discarded,
            time_limit: Duration::from_millis(1500),
            output_limit: 4096,
        })
    }

    #[test]
    fn frames_survive_the_trip() {
        let mut buffer = order().encode();
        let frame = take_frame(&mut buffer).unwrap().unwrap();
        assert_eq!(Order::decode(&frame), Ok(order()));
        assert!(buffer.is_empty());
        let exit = Exit { ending: Ending::TimedOut, code: None, signal: Some(9) };
        let refused = Report::Refused { refusal: Refusal::NotFound, message: "no bash".into() };
        for report in [Report::Started, refused, Report::Ended(exit)] {
            let mut buffer = report.encode();
            let frame = take_frame(&mut buffer).unwrap().unwrap();
            assert_eq!(Report::decode(&frame), Ok(report));
        }
    }

    #[test]
    fn half_a_frame_waits_for_the_rest() {
        let whole = order().encode();
        let mut buffer = Vec::new();
        for byte in &whole[..whole.len() - 1] {
            buffer.push(*byte);
            assert_eq!(take_frame(&mut buffer), Ok(None));
        }
        buffer.push(whole[whole.len() - 1]);
        buffer.extend(Report::Started.encode());
        assert!(take_frame(&mut buffer).unwrap().is_some());
        assert!(take_frame(&mut buffer).unwrap().is_some());
    }

    #[test]
    fn damaged_frames_are_refused() {
        let mut buffer = order().encode();
        let body = take_frame(&mut buffer).unwrap().unwrap();
        for cut in 0..body.len() {
            assert_eq!(Order::decode(&body[..cut]), Err(Malformed), "cut at {cut}");
        }
        let mut huge = u32::MAX.to_le_bytes().to_vec();
        assert_eq!(take_frame(&mut huge), Err(Malformed));
        let mut longer = body;
        longer.push(0);
        assert_eq!(Order::decode(&longer), Err(Malformed));
    }
}

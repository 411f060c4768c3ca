//! One line of the log.

use std::fmt;

/// Longer lines are noise on the serial cable.
pub const MAX_LINE: usize = 96;

/// What the buoy measured at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub time: String,
    pub wave_metres: f64,
    pub wind_knots: f64,
    pub water_celsius: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ParseError {
    TooLong,
    MissingField(&'static str),
    BadNumber(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::TooLong => write!(f, "the line has more than {MAX_LINE} bytes"),
            ParseError::MissingField(name) => write!(f, "there is no {name}"),
            ParseError::BadNumber(text) => write!(f, "{text:?} is not a number"),
        }
    }
}

/// Reads a line such as `2026-03-01T12:00 1.8 14.2 6.5`.
pub fn parse_line(line: &str) -> Result<Reading, ParseError> {
    if line.len() > MAX_LINE {
        return Err(ParseError::TooLong);
    }
    let mut fields = line.split_whitespace();
    let time = fields.next().ok_or(ParseError::MissingField("time"))?;
    let mut number = |name| {
        let text = fields.next().ok_or(ParseError::MissingField(name))?;
        text.parse().map_err(|_| ParseError::BadNumber(text.to_string()))
    };
    Ok(Reading {
        time: time.to_string(),
        wave_metres: number("wave height")?,
        wind_knots: number("wind speed")?,
        water_celsius: number("water temperature")?,
    })
}

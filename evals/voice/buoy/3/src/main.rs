use std::fs;
use std::process::exit;

use buoy::alarm::level;
use buoy::average::running_mean;
use buoy::reading::parse_line;

/// An hour of readings.
const WINDOW: usize = 6;

fn main() {
    let path = std::env::args().nth(1).unwrap_or("buoy.log".to_string());
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            exit(1);
        }
    };
    let mut waves = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match parse_line(line) {
            Ok(reading) => {
                println!("{} {:?}", reading.time, level(&reading));
                waves.push(reading.wave_metres);
            }
            Err(error) => {
                eprintln!("{path}:{}: {error}", number + 1);
                exit(3);
            }
        }
    }
    if let Some(smooth) = running_mean(&waves, WINDOW).last() {
        println!("waves in the last hour: {smooth:.1} m");
    }
}

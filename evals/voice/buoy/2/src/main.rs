use std::fs;
use std::process::exit;

use buoy::alarm::level;
use buoy::reading::parse_line;

fn main() {
    let path = std::env::args().nth(1).unwrap_or("buoy.log".to_string());
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            exit(1);
        }
    };
    for (number, line) in text.lines().enumerate() {
        match parse_line(line) {
            Ok(reading) => println!("{} {:?}", reading.time, level(&reading)),
            Err(error) => {
                eprintln!("{path}:{}: {error}", number + 1);
                exit(3);
            }
        }
    }
}

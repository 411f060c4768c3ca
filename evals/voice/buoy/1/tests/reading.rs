use buoy::reading::{parse_line, ParseError, MAX_LINE};

#[test]
fn a_whole_line_is_read() {
    let reading = parse_line("2026-03-01T12:00 1.8 14.2 6.5").unwrap();
    assert_eq!(reading.time, "2026-03-01T12:00");
    assert_eq!(reading.wave_metres, 1.8);
    assert_eq!(reading.wind_knots, 14.2);
    assert_eq!(reading.water_celsius, 6.5);
}

#[test]
fn a_line_without_wind_is_refused() {
    assert_eq!(parse_line("2026-03-01T12:00 1.8"), Err(ParseError::MissingField("wind speed")));
}

#[test]
fn a_word_is_not_a_number() {
    assert_eq!(
        parse_line("2026-03-01T12:00 high 14.2 6.5"),
        Err(ParseError::BadNumber("high".to_string()))
    );
}

#[test]
fn noise_is_refused() {
    assert_eq!(parse_line(&"x".repeat(MAX_LINE + 1)), Err(ParseError::TooLong));
}

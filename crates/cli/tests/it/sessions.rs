use std::fs;

use serde_json::Value;
use testkit::{ModelReply, ModelScript};

use crate::lab::Lab;

#[test]
fn what_was_talked_about_is_listed() {
    let lab = Lab::new();
    let none = lab.run(&["sessions"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""));
    assert!(none.err.contains("no session is kept yet"), "{}", none.err);

    let model = ModelScript::start([
        ModelReply::message("Milk."),
        ModelReply::message("Yes."),
        ModelReply::message("No."),
    ]);
    lab.provider(&model.base_url());
    for prompt in ["what is\nthere?", "is that all?"] {
        assert_eq!(lab.run(&["exec", prompt]).code, Some(0));
    }
    assert_eq!(lab.run(&["exec", "--ephemeral", "secret"]).code, Some(0));
    model.finish();

    let listed = lab.run(&["sessions"]);
    let lines: Vec<&str> = listed.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", listed.out);
    assert!(lines[0].ends_with("is that all?"), "{}", listed.out);
    assert!(lines[1].ends_with("what is there?"), "{}", listed.out);

    let newest = lab.run(&["sessions", "--json", "-n", "1"]);
    let newest: Value = serde_json::from_str(newest.out.trim()).unwrap();
    assert_eq!(newest["preview"], "is that all?");
    let path = newest["path"].as_str().unwrap();
    assert!(path.contains(newest["id"].as_str().unwrap()), "{newest}");
    assert!(fs::metadata(path).is_ok());

    let elsewhere = lab.home();
    let elsewhere = lab.run(&["sessions", "--cd", elsewhere.to_str().unwrap()]);
    assert!(elsewhere.err.contains("of that directory"), "{}", elsewhere.err);
    assert_eq!(lab.run(&["sessions", "--cd", "."]).out.lines().count(), 2);
    assert_eq!(lab.run(&["sessions", "--cd", "/no/such"]).code, Some(2));
}

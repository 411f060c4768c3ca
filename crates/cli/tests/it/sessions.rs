use std::fs;

use serde_json::{Value, json};
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

#[test]
fn a_session_goes_on() {
    let lab = Lab::new();
    let model = ModelScript::start([
        ModelReply::tool_call("call_1", "shell", json!({ "command": "cat notes.txt" })),
        ModelReply::message("Milk."),
        ModelReply::message("Soy milk."),
        ModelReply::message("Oat milk."),
    ]);
    lab.provider(&model.base_url());
    lab.run(&["exec", "resume", "--last", "go on"]).expect_failure(1, &["duet sessions"]);
    lab.run(&["exec", "what is there?"]).expect(0, "Milk.\n");
    lab.run(&["exec", "resume", "--last", "which one?"]).expect(0, "Soy milk.\n");

    let id = lab.rollout()[0]["payload"]["id"].as_str().unwrap().to_owned();
    let elsewhere = lab.home();
    let elsewhere = elsewhere.to_str().unwrap();
    let last = ["exec", "--cd", elsewhere, "resume", "--last", "go on"];
    lab.run(&last).expect_failure(1, &["--all"]);
    lab.run(&["exec", "resume", "nobody", "go on"]).expect_failure(1, &["nobody", "duet sessions"]);
    let both = ["exec", "resume", &id, "go on", "--last"];
    lab.run(&both).expect_failure(2, &["--last"]);
    let ran = lab.run(&["exec", "--json", "resume", &id, "really?"]);
    assert!(ran.out.lines().next().unwrap().contains(&id), "{}", ran.out);
    assert!(ran.out.contains("Oat milk."), "{}", ran.out);

    let requests = model.requests();
    model.finish();
    let last = requests.last().unwrap();
    assert_eq!(last.messages("user"), ["what is there?", "which one?", "really?"]);
    assert_eq!(last.messages("assistant"), ["Milk.", "Soy milk."]);
    assert!(last.tool_output("call_1").unwrap().contains("remember the milk"));
    // One log still, and it reads back.
    let listed = lab.run(&["sessions"]).out;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.contains(&id) && listed.contains("what is there?"), "{listed}");
}

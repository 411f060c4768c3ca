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

#[test]
fn a_session_may_be_named_by_how_its_id_begins() {
    let lab = Lab::new();
    let model = ModelScript::start([ModelReply::message("Milk."), ModelReply::message("Soy.")]);
    lab.provider(&model.base_url());
    lab.run(&["exec", "what is there?"]).expect(0, "Milk.\n");
    let id = lab.rollout()[0]["payload"]["id"].as_str().unwrap().to_owned();
    lab.run(&["exec", "resume", &id[..13], "which one?"]).expect(0, "Soy.\n");
    model.finish();
    // Of the same minute.
    let log = lab.run(&["sessions", "--json"]).out;
    let log: Value = serde_json::from_str(&log).unwrap();
    let log = std::path::Path::new(log["path"].as_str().unwrap());
    let twin = format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { '1' } else { '0' });
    let text = fs::read_to_string(log).unwrap().replace(&id, &twin);
    let name = log.file_name().unwrap().to_str().unwrap().replace(&id, &twin);
    fs::write(log.with_file_name(name), text).unwrap();
    let ran = lab.run(&["exec", "resume", &id[..13], "which one?"]);
    ran.expect_failure(2, &[&id, &twin]);
    lab.run(&["exec", "resume"]).expect_failure(2, &["duet sessions", "--last"]);
    let none = lab.run(&["sessions", "-n", "0"]);
    assert_eq!(none.code, Some(2));
    assert!(none.err.contains("0 is not in 1.."), "{}", none.err);
}

/// Of a demo, or of a clone that was deleted.
#[test]
fn the_last_session_is_one_whose_directory_is_there() {
    let lab = Lab::new();
    let model = ModelScript::start([
        ModelReply::message("Here."),
        ModelReply::message("There."),
        ModelReply::message("Here again."),
    ]);
    lab.provider(&model.base_url());
    lab.run(&["exec", "where?"]).expect(0, "Here.\n");
    let gone = lab.home().join("gone");
    fs::create_dir(&gone).unwrap();
    lab.run(&["exec", "--cd", gone.to_str().unwrap(), "where?"]).expect(0, "There.\n");
    fs::remove_dir(&gone).unwrap();
    let ran = lab.run(&["exec", "resume", "--last", "--all", "and now?"]);
    ran.expect(0, "Here again.\n");
    let said = format!("left out, since its directory is gone: {}\n", gone.display());
    assert!(ran.err.starts_with(&said), "{}", ran.err);
    assert_eq!(model.requests()[2].messages("user"), ["where?", "and now?"]);
    model.finish();
}

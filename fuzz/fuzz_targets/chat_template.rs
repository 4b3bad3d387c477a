//! Any text as a chat template: refused, or it renders or fails, and ends.
#![no_main]

use std::collections::HashMap;
use std::path::Path;

use model::ChatTemplate;

libfuzzer_sys::fuzz_target!(|source: &str| {
    if let Ok(template) = ChatTemplate::new(Path::new("t.jinja"), source, HashMap::new()) {
        let messages = [serde_json::json!({"role": "user", "content": "Hi"})];
        let _ = template.render(&messages, None, true);
        let _ = template.render(&[], Some(&messages), false);
    }
});

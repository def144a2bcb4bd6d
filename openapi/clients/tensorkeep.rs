// Tensorkeep from Rust: the standard library alone, so over plain HTTP and without JSON of its own. What is asked for is written
// out, and tensors come as bytes; with crates at hand, an HTTP client and serde_json take the place of the first half.
//
//     rustc -O tensorkeep.rs && ./tensorkeep http://127.0.0.1:7840 example
//
// A token is taken from TENSORKEEP_TOKEN.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The body of a reply: as long as it says, or in chunks.
struct Body {
    stream: BufReader<TcpStream>,
    left: u64,
    chunked: bool,
}

impl Body {
    fn next_chunk(&mut self) -> io::Result<()> {
        let mut line = String::new();
        while line.trim().is_empty() {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "the length of a chunk");
        self.left = u64::from_str_radix(line.trim(), 16).map_err(wrong)?;
        self.chunked = self.left > 0;
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.chunked {
            self.next_chunk()?;
        }
        let most = self.left.min(out.len() as u64) as usize;
        let got = self.stream.read(&mut out[..most])?;
        self.left -= got as u64;
        Ok(got)
    }
}

struct Client {
    host: String,
    token: Option<String>,
}

impl Client {
    /// The body of the reply; a refusal is an error that says the problem document.
    fn open(&self, method: &str, path: &str, json: &str, headers: &[(&str, &str)]) -> Result<Body> {
        let mut stream = TcpStream::connect(&self.host)?;
        let mut head = format!("{} /v1{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", method, path, self.host);
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {}\r\n", token);
        }
        for (name, value) in headers {
            head += &format!("{}: {}\r\n", name, value);
        }
        if !json.is_empty() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        }
        stream.write_all(format!("{}\r\n{}", head, json).as_bytes())?;
        let mut body = Body { stream: BufReader::new(stream), left: 0, chunked: false };
        let mut line = String::new();
        body.stream.read_line(&mut line)?;
        let status: u16 = line.split(' ').nth(1).unwrap_or("").parse()?;
        loop {
            line.clear();
            body.stream.read_line(&mut line)?;
            match line.trim().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => body.left = value.parse()?,
                Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => body.chunked = true,
                Some(_) => (),
                None => break,
            }
        }
        if status < 400 {
            return Ok(body);
        }
        let mut problem = String::new();
        body.read_to_string(&mut problem)?;
        Err(problem.into())
    }

    fn call(&self, method: &str, path: &str, json: &str, headers: &[(&str, &str)]) -> Result<String> {
        let mut text = String::new();
        self.open(method, path, json, headers)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn bytes(&self, path: &str, accept: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open("GET", path, "", &[("Accept", accept)])?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The elements of a float32 variable, the last dimension varying fastest.
    fn floats(&self, model: &str, variable: &str) -> Result<Vec<f32>> {
        let raw = self.bytes(&format!("/models/{}/variables/{}:value", model, variable), "application/octet-stream")?;
        Ok(raw.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
    }

    /// What happens to a model after a revision, an event and a name each, up to and with the first event of the kind `last`.
    fn changes(&self, model: &str, since: &str, last: &str) -> Result<Vec<(String, String)>> {
        let path = format!("/models/{}/changes?feed=eventsource&since={}", model, since);
        let mut changes = Vec::new();
        for line in BufReader::new(self.open("GET", &path, "", &[("Accept", "text/event-stream")])?).lines() {
            let line = line?;
            for change in line.strip_prefix("data: ").unwrap_or("").split("{\"event\"").skip(1) {
                let event = field(&format!("\"event\"{}", change), "event")?;
                changes.push((event.clone(), field(change, "name").unwrap_or_default()));
                if event == last {
                    return Ok(changes);
                }
            }
        }
        Err("the feed ended".into())
    }
}

/// A field of a JSON object that is a number or a text without escapes.
fn field(json: &str, name: &str) -> Result<String> {
    let rest = json.split_once(&format!("\"{}\":", name)).ok_or_else(|| format!("no {} in {}", name, json))?.1;
    let value = rest.trim_start().trim_start_matches('"');
    Ok(value.chars().take_while(|c| !"\",}]".contains(*c)).collect())
}

/// The names in a safetensors file: 8 bytes of length, a JSON header, the data.
fn names(file: &[u8]) -> Result<Vec<String>> {
    let mut eight = [0; 8];
    eight.copy_from_slice(file.get(..8).ok_or("a short file")?);
    let header = std::str::from_utf8(file.get(8..8 + u64::from_le_bytes(eight) as usize).ok_or("a short file")?)?;
    let mut names: Vec<String> = header.split("\":{\"dtype\"").filter_map(|part| part.rsplit('"').next()).map(String::from).collect();
    names.pop();
    names.sort();
    Ok(names)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let host = arguments[1].strip_prefix("http://").ok_or("http:// is all that there is here")?.to_string();
    let client = Client { host, token: std::env::var("TENSORKEEP_TOKEN").ok() };
    let model = &arguments[2];
    let at = format!("/models/{}", model);

    client.call("PUT", &at, r#"{"seed": 7}"#, &[])?;
    client.call("POST", &format!("{}/variables", at), r#"[
        {"name": "layer/weights", "initial_value": {"op": "ones", "shape": [2, 3]}},
        {"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": false}]"#, &[])?;
    let ready = client.call("POST", &format!("{}:initialize", at), "", &[])?;
    let list = ready.split_once("\"initialized\":[").and_then(|(_, rest)| rest.split_once(']')).ok_or("no list")?.0;
    let mut initialized: Vec<&str> = list.split(',').map(|name| name.trim().trim_matches('"')).collect();
    initialized.sort();
    println!("initialized: {}", initialized.join(" "));

    client.call("PUT", &format!("{}/optimizers/sgd", at), r#"{"type": "gradient_descent", "learning_rate": 0.5}"#, &[])?;
    let key = format!("step-{}-{}", std::process::id(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let step = client.call("POST", &format!("{}/optimizers/sgd:apply_gradients", at), r#"{"global_step": "global_step",
        "gradients": {"layer/weights": [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]}}"#, &[("Idempotency-Key", &key)])?;
    let weights: Vec<String> = client.floats(model, "layer/weights")?.iter().map(f32::to_string).collect();
    println!("step {}: {}", field(&step, "global_step")?, weights.join(" "));

    let saved = client.call("POST", &format!("{}/checkpoints", at),
        r#"{"name": "model.ckpt", "global_step": {"variable": "global_step"}}"#, &[])?;
    let saved = field(&saved, "name")?;
    let file = client.bytes(&format!("{}/checkpoints/{}:export", at, saved), "application/vnd.safetensors")?;
    println!("saved {}: {}", saved, names(&file)?.join(" "));

    let mut seen: Vec<String> = client.changes(model, &field(&ready, "revision")?, "checkpoint.saved")?.into_iter()
        .filter(|(event, _)| event.starts_with("variable.") || event.starts_with("checkpoint."))
        .map(|(event, name)| format!("{} {}", event, name)).collect();
    seen.sort();
    println!("changes: {}", seen.join(", "));

    match client.call("POST", &format!("{}/variables/layer/weights:assign_add", at), r#"{"value": [1.0, 2.0]}"#, &[]) {
        Err(no) => println!("refused: {}", field(&no.to_string(), "code")?),
        Ok(_) => return Err("taken".into()),
    }
    client.call("DELETE", &at, "", &[])?;
    Ok(())
}

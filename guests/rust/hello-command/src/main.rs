//! Greets by name: the first argument, else what stdin holds, else the world. The environment variable `GREETING`
//! takes the place of "hello".
//!
//! Built for `wasm32-wasip2` an ordinary `main` becomes a component that exports `wasi:cli/run`.

use std::{
    env,
    io::{self, Read},
    process::ExitCode,
};

fn main() -> ExitCode {
    match name() {
        Ok(name) => {
            println!("{}, {name}", greeting());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot read the name from stdin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn greeting() -> String {
    env::var("GREETING").unwrap_or_else(|_| "hello".to_owned())
}

fn name() -> io::Result<String> {
    if let Some(name) = env::args_os().nth(1) {
        return Ok(name.to_string_lossy().into_owned());
    }
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    Ok(match input.trim() {
        "" => "world".to_owned(),
        name => name.to_owned(),
    })
}

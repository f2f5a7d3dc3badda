//! A server: the real program on a folder of its own. What it warns of without being expected to fails the test.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

use super::certificate::AUTHORITY;
use super::{Answer, TLS, certificate, until};

/// A server that runs. Dropping it ends it with `kill -9`.
pub(in crate::process) struct Server {
    process: Process,
    /// `http`, or `https` where it speaks TLS.
    scheme: String,
    address: String,
    http: reqwest::Client,
    /// What requests show, where the server asks who sends them.
    token: Option<String>,
    /// `None` once it has been handed on.
    home: Option<Home>,
}

/// A server that has stopped; its folder is still there.
pub(in crate::process) struct Stopped {
    home: Home,
    /// The exit code; `None` when a signal ended it.
    pub(in crate::process) code: Option<i32>,
}

/// A process that ends with the test, however that ends.
struct Process(Child);

impl Process {
    /// Ends it without warning, if it has not ended yet.
    fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }

    /// How it has ended.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder of a server, and what its log may warn of.
struct Home {
    folder: TempDir,
    expected: Vec<&'static str>,
}

impl Home {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), expected: Vec::new() }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join(AUTHORITY)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// What the log warns of without being expected to.
    fn warnings(&self) -> Vec<String> {
        let log = self.log();
        let warned = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
        warned.filter(|line| !self.expected.iter().any(|part| line.contains(part))).map(str::to_owned).collect()
    }
}

impl Server {
    /// One that keeps nothing: the quickest to start.
    pub(in crate::process) async fn in_memory() -> Self {
        Self::with(&["--store", "memory"]).await
    }

    /// One that keeps its data in its folder.
    pub(in crate::process) async fn durable() -> Self {
        Self::with(&[]).await
    }

    /// One with these arguments behind `serve`.
    pub(in crate::process) async fn with(arguments: &[&str]) -> Self {
        Self::at(Home::new(), arguments).await
    }

    async fn at(home: Home, arguments: &[&str]) -> Self {
        let (process, out) = spawn(home.folder.path(), arguments);
        let authority = Some(home.authority()).filter(|authority| authority.exists());
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tidemill::tls::client_config(authority.as_deref()).unwrap())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let (scheme, address) = (String::new(), String::new());
        let mut server = Self { process, scheme, address, http, token: None, home: Some(home) };
        (server.scheme, server.address) = until("the address", async || {
            assert_eq!(server.process.ended(), None, "it did not start:\n{}", server.log());
            let text = fs::read_to_string(&out).unwrap();
            let (line, _) = text.strip_prefix("tidemill listens on ")?.split_once('\n')?;
            line.split_once("://").map(|(scheme, address)| (scheme.to_owned(), address.to_owned()))
        })
        .await;
        server.get("/readyz").await.is(200);
        server
    }

    /// One that asks who sends requests; those of the test are its first account's.
    pub(in crate::process) async fn asking(arguments: &[&str]) -> Self {
        Self::with(&[&["--auth"], arguments].concat()).await.administered()
    }

    /// One that asks who sends requests, over TLS.
    pub(in crate::process) async fn secured(arguments: &[&str]) -> Self {
        let home = Home::new();
        certificate(home.folder.path());
        Self::at(home, &[&["--auth"], &TLS[..], arguments].concat()).await.administered()
    }

    /// From now on requests are those of its first account.
    pub(in crate::process) fn administered(mut self) -> Self {
        self.token = Some(fs::read_to_string(self.folder().join("tidemill-data/admin.token")).unwrap());
        self
    }

    /// The token that requests show.
    pub(in crate::process) fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// Lets the log warn of lines that contain one of these.
    pub(in crate::process) fn expecting(mut self, parts: &[&'static str]) -> Self {
        self.home.as_mut().unwrap().expected.extend(parts);
        self
    }

    /// Asks it to stop and waits until it has, with success.
    pub(in crate::process) async fn terminated(self) -> Stopped {
        self.ask_to_stop().await;
        let stopped = self.ended().await;
        assert_eq!(stopped.code, Some(0), "{}", stopped.home.log());
        stopped
    }

    /// Sends SIGTERM, and no more.
    pub(in crate::process) async fn ask_to_stop(&self) {
        let id = self.process.0.id().to_string();
        // The shell has `kill` built in; a program of that name may be missing.
        let told = tokio::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await.unwrap();
        assert!(told.success());
    }

    /// Ends it without warning.
    pub(in crate::process) async fn killed(mut self) -> Stopped {
        self.process.kill();
        self.ended().await
    }

    /// Waits until it has ended.
    pub(in crate::process) async fn ended(mut self) -> Stopped {
        let status = until("the server's end", async || self.process.ended()).await;
        let home = self.home.take().unwrap();
        assert_eq!(home.warnings(), [""; 0], "{}", home.log());
        Stopped { home, code: status.code() }
    }

    /// The certificate that whoever asks it over TLS is to trust.
    pub(in crate::process) fn authority(&self) -> PathBuf {
        self.home.as_ref().unwrap().authority()
    }

    /// Its folder; the data is in `tidemill-data` there.
    pub(in crate::process) fn folder(&self) -> &Path {
        self.home.as_ref().unwrap().folder.path()
    }

    /// Memory that it has, in bytes, without that of processes it has started.
    pub(in crate::process) fn rss_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// What it has logged so far.
    pub(in crate::process) fn log(&self) -> String {
        self.home.as_ref().unwrap().log()
    }

    /// Everything it has printed.
    pub(in crate::process) fn printed(&self) -> String {
        fs::read_to_string(self.folder().join("stdout")).unwrap()
    }

    /// `HOST:PORT` of gRPC.
    pub(in crate::process) fn grpc_address(&self) -> String {
        let printed = self.printed();
        let line = printed.lines().find_map(|line| line.strip_prefix("tidemill answers gRPC on "));
        line.expect("gRPC is on").to_owned()
    }

    /// `HOST:PORT`.
    pub(in crate::process) fn address(&self) -> &str {
        &self.address
    }

    pub(in crate::process) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub(in crate::process) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_with(method, path, self.token.as_deref())
    }

    /// A request that shows this token, or nothing.
    pub(in crate::process) fn request_with(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        token.into_iter().fold(request, RequestBuilder::bearer_auth)
    }

    pub(in crate::process) async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    pub(in crate::process) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(in crate::process) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(in crate::process) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(Method::PUT, path).body(body)).await
    }

    pub(in crate::process) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(Method::POST, path).body(body)).await
    }

    /// Deploys a module as it is.
    pub(in crate::process) async fn deploy(&self, name: &str, module: Vec<u8>) -> Value {
        let answer = self.put(&format!("/v1/functions/{name}"), module).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
        answer.json()
    }

    /// Sends a deployment with settings.
    pub(in crate::process) async fn deployment(&self, name: &str, module: Vec<u8>, settings: &Value) -> Answer {
        self.deployment_with(self.token.as_deref(), name, module, settings).await
    }

    /// Sends one that shows this token, or nothing.
    pub(in crate::process) async fn deployment_with(
        &self,
        token: Option<&str>,
        name: &str,
        module: Vec<u8>,
        settings: &Value,
    ) -> Answer {
        let form = Form::new().part("settings", Part::text(settings.to_string())).part("module", Part::bytes(module));
        self.send(self.request_with(Method::PUT, &format!("/v1/functions/{name}"), token).multipart(form)).await
    }

    /// Deploys a module with settings.
    pub(in crate::process) async fn deploy_with(&self, name: &str, module: Vec<u8>, settings: &Value) -> Value {
        let answer = self.deployment(name, module, settings).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
        answer.json()
    }

    /// Sets an asynchronous configuration.
    pub(in crate::process) async fn configure(&self, name: &str, config: &Value) -> Answer {
        self.put(&format!("/v1/functions/{name}/async-config"), config.to_string()).await
    }

    /// Invokes a function and waits for its answer.
    pub(in crate::process) async fn invoke(&self, name: &str, payload: impl Into<Body>) -> Answer {
        self.post(&format!("/v1/functions/{name}/invocations"), payload).await
    }

    /// Leaves an invocation to the queue and returns its id.
    pub(in crate::process) async fn accept(&self, name: &str, payload: impl Into<Body>) -> String {
        self.accept_with(name, payload, &[]).await
    }

    /// Leaves an invocation with these headers to the queue and returns its id.
    pub(in crate::process) async fn accept_with(
        &self,
        name: &str,
        payload: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> String {
        let path = format!("/v1/functions/{name}/invocations?mode=async");
        let request = self.request(Method::POST, &path).body(payload);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = self.send(request).await.is(202);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// An invocation as it is now.
    pub(in crate::process) async fn look(&self, id: &str) -> Value {
        self.get(&format!("/v1/invocations/{id}")).await.is(200).json()
    }

    /// The record of the synchronous invocation that `answer` is of. It is written while the answer is on its way.
    pub(in crate::process) async fn recorded(&self, answer: &Answer) -> Value {
        let path = format!("/v1/invocations/{}", answer.header("tidemill-invocation-id"));
        until("the record", async || Some(self.get(&path).await).filter(|answer| answer.status == 200)).await.json()
    }

    /// An invocation once it is settled, with this status.
    pub(in crate::process) async fn settled(&self, id: &str, status: &str) -> Value {
        let invocation = self.get(&format!("/v1/invocations/{id}?wait=180s")).await.is(200).json();
        assert_eq!(invocation["status"], status, "{invocation:#}");
        invocation
    }

    /// An invocation once it has this status.
    pub(in crate::process) async fn reaches(&self, id: &str, status: &str) -> Value {
        until(status, async || Some(self.look(id).await).filter(|invocation| invocation["status"] == status)).await
    }

    /// Waits until so many attempts run.
    pub(in crate::process) async fn runs(&self, attempts: u64) {
        until("attempts to run", async || {
            (self.get("/v1/runtime").await.is(200).json()["running"] == attempts).then_some(())
        })
        .await;
    }

    /// The ids of the invocations that `query` finds, the newest first.
    pub(in crate::process) async fn listed(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/invocations?{query}")).await.is(200).json();
        let invocations = page["invocations"].as_array().unwrap().iter();
        invocations.map(|invocation| invocation["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Stopped {
    /// Starts one on the same folder.
    pub(in crate::process) async fn restarted(self) -> Server {
        self.restarted_with(&[]).await
    }

    /// Starts one on the same folder with these arguments.
    pub(in crate::process) async fn restarted_with(self, arguments: &[&str]) -> Server {
        Server::at(self.home, arguments).await
    }

    /// Where the data is.
    pub(in crate::process) fn data(&self) -> PathBuf {
        self.home.folder.path().join("tidemill-data")
    }

    /// Starts one on the same folder that is expected to end by itself, perhaps before it answers anything.
    pub(in crate::process) async fn runs_out(self, arguments: &[&str]) -> Self {
        let (mut process, _) = spawn(self.home.folder.path(), arguments);
        let status = until("the server's own end", async || process.ended()).await;
        Self { code: status.code(), ..self }
    }

    /// What was logged in this folder so far.
    pub(in crate::process) fn log(&self) -> String {
        self.home.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        self.process.kill(); // before its log is read
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the test has failed: this is what it leaves behind")]
            {
                eprintln!("the server's log:\n{}", home.log());
            }
        } else {
            assert_eq!(home.warnings(), [""; 0], "{}", home.log());
        }
    }
}

/// Starts the program; returns it with the file that it prints to.
fn spawn(folder: &Path, arguments: &[&str]) -> (Process, PathBuf) {
    let out = folder.join("stdout");
    let log = OpenOptions::new().create(true).append(true).open(folder.join("stderr")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("TIDEMILL_LOG")
        .env("TMPDIR", folder) // one that is killed removes nothing itself
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    (Process(child), out)
}

//! The `worker` function: see `fanout_functions::worker`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::worker::run().await
}

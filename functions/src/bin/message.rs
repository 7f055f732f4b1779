//! The `message` function: see `fanout_functions::message`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::message::run().await
}

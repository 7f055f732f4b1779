//! The `disconnect` function: see `fanout_functions::disconnect`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::disconnect::run().await
}

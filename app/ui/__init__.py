"""The pages, in Streamlit. `render` computes what they show; what a turn does is up to `app.chat`."""

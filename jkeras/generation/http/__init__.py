"""OpenAI's interface of a server over HTTP: what is asked, what is answered, what is refused."""

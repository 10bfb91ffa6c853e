"""From a question to an answer: model client, prompt, knowledge. Imports none of ours."""

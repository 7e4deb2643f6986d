"""Models as the Hugging Face hub keeps them: a folder of safetensors, JSON and a model card; down and up."""

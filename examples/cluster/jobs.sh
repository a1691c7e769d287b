# Scores a data set of the Hub in Hugging Face Jobs, billed to the account that `hf auth login` names.
empathy score \
  --input_path 'hf://datasets/OWNER/DATASET/data/*.parquet' --column seeker_post=question --column response_post=answer \
  --output_path hf://buckets/OWNER/scores \
  --executor jobs --tasks 20 --workers 10 \
  --executor_option flavor=cpu-upgrade --executor_option timeout=6h
# It waits for the jobs, and starts again once what failed. The same command goes on with what is left after that.

# Scores a folder of Parquet on a Ray cluster, from its head node; RAY_ADDRESS names another. The disk must be shared.
export RAY_ADDRESS=auto
empathy score \
  --input_path 'dump/*.parquet' --column seeker_post=question --column response_post=answer \
  --output_path scores \
  --executor ray --tasks 200 --workers 50
# It waits for the tasks. Whatever ends it, the same command goes on with the shards that are not whole.

# Scores a folder of Parquet on Slurm: 200 tasks of one core, 50 of them at once. Run it where sbatch is.
empathy score \
  --input_path 'dump/*.parquet' --column seeker_post=question --column response_post=answer \
  --output_path scores \
  --executor slurm --tasks 200 --workers 50 \
  --executor_option partition=cpu --executor_option time=24:00:00
# It submits and returns. The same command says how far the tasks are, hands over again what failed, and finishes.

"""What Streamlit runs."""

from customer_segmentation.dashboard.app import main

main()

"""`streamlit run app.py`: the dashboard of the service at CUSTOMER_SEGMENTATION_URL."""

from customer_segmentation.dashboard.app import main

main()

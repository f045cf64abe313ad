"""Packaging: `pip install .` gives the libraries and the `nwt` command.

Every version below is the one that the tests ran with. TensorBoard is declared because TensorFlow
no longer brings it along; OpenCV is the headless build, which must not be installed beside
`opencv-python` (they overwrite each other's files).
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "nwt_tf" / "__init__.py").read_text())[1]
WEB_SERVERS = ["fastapi==0.165.0", "uvicorn==0.54.0"]  # `nwt serve`, `nwt mos --action=serve`

setup(
    name="nwt_tf",
    version=VERSION,
    description="An open implementation of NWT: speech in, video of a talking person out",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",  # TensorFlow 2.21 has no wheels for later versions.
    packages=find_packages(include=["nwt_tf*", "data_pipeline*", "configs*"]),
    package_data={
        "nwt_tf": ["pretrained/**/*", "evaluation/mos/templates/*", "serving/page/*"],
        "data_pipeline": ["review_page/*"],
    },
    entry_points={"console_scripts": ["nwt = nwt_tf.bin.nwt:main"]},
    install_requires=[
        "absl-py==2.5.1",
        "av==18.1.0",
        "google-crc32c==1.9.0",
        "keras==3.15.1",
        "librosa==0.11.0",
        "matplotlib==3.11.2",
        "ml-collections==1.1.0",
        "numba==0.68.1",
        "numpy==2.4.6",
        "opencv-python-headless==4.14.0.94",
        "pillow==12.3.0",  # apache-beam refuses 13.
        "scipy==1.17.1",
        "simplejpeg==1.9.0",
        "tensorboard==2.21.0",
        "tensorflow==2.21.0",
        "tensorflow-serving-api==2.21.0",  # the warm-up requests' messages
    ],
    extras_require={
        "cuda": ["tensorflow[and-cuda]==2.21.0"],
        "beam": ["apache-beam[tfrecord]==2.77.0"],
        "demo": WEB_SERVERS,
        "mos": WEB_SERVERS,
        "dev": [
            *WEB_SERVERS,
            "ipykernel==7.4.0",  # with nbclient: the notebook's test
            "nbclient==0.11.0",
            "pytest==9.2.0",
            "pytest-xdist==3.8.0",
            "ruff==0.17.6",
        ],
    },
)

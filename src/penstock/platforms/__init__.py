"""The homes of the gateway: each holds one implementation of every port."""

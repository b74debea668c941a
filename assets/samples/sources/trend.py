import matplotlib.pyplot as plt

weeks = [1, 2, 3, 4, 5, 6, 7, 8]
lake = [11.2, 12.0, 13.4, 15.1, 16.8, 18.3, 19.0, 18.6]
river = [8.4, 9.1, 9.9, 11.7, 13.2, 14.0, 14.9, 15.3]

fig, ax = plt.subplots(figsize=(5.2, 3.6))
ax.plot(weeks, lake, marker="o", color="#c2410c", label="Lake")
ax.plot(weeks, river, marker="s", color="#4338ca", label="River")
ax.set_title("Water temperature")
ax.set_xlabel("Week")
ax.set_ylabel("Degrees")
ax.legend()
ax.grid(True)
plt.tight_layout()
plt.show()
